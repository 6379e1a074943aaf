from django.urls import path

from allo.accounts import addresses, changing_address, leaving, signing_in, views

app_name = "accounts"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-in/code/", signing_in.code, name="code"),
    path("sign-in/link/", signing_in.link, name="link"),
    path("addresses/", addresses.addresses, name="addresses"),
    path("addresses/new/", addresses.new, name="new_address"),
    path("addresses/<int:pk>/", addresses.edit, name="address"),
    path("addresses/<int:pk>/remove/", addresses.remove, name="remove_address"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("e-mail/", changing_address.change, name="email"),
    path("e-mail/code/", changing_address.confirm, name="confirm_email"),
    path("export/", leaving.export, name="export"),
    path("delete/", leaving.delete, name="delete"),
    path("sessions/", views.sessions, name="sessions"),
    path("sessions/end/", views.sign_out_everywhere, name="sign_out_everywhere"),
    path("sessions/<int:pk>/end/", views.end_session, name="end_session"),
]
