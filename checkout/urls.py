from django.urls import path

from checkout import views

app_name = "checkout"
urlpatterns = [
    path("<uuid:reservation_id>/", views.checkout, name="checkout"),
    path("<uuid:reservation_id>/confirm/", views.confirm, name="confirm"),
    path("<uuid:reservation_id>/cancel/", views.cancel, name="cancel"),
    path("<uuid:reservation_id>/renew/", views.renew, name="renew"),
    path("<uuid:reservation_id>/contact/", views.contact, name="contact"),
    path("<uuid:reservation_id>/address/", views.address, name="address"),
]
