from django.urls import path

from reservations.shop import views, waiting

app_name = "reservations"
urlpatterns = [
    path("p/<slug:slug>/reserve/", views.reserve, name="reserve"),
    path("p/<slug:slug>/wait/", waiting.wait, name="wait"),
    path("p/<slug:slug>/enter/", waiting.enter, name="enter"),
    path("p/<slug:slug>/stock/", views.stock, name="stock"),
    path("p/<slug:slug>/mine/", views.mine, name="mine"),
    path("reservations/", views.reservations, name="list"),
    path("reservations/holds/", views.holds, name="holds"),
]
