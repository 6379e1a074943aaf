from django.urls import path

from checkout import bag
from checkout.orders import finding, listing, views

app_name = "orders"
urlpatterns = [
    path("bag/", bag.bag, name="bag"),
    path("bag/pay/", bag.pay, name="pay_bag"),
    path("orders/", listing.orders, name="list"),
    path("orders/find/", finding.find, name="find"),
    path("orders/<str:number>/", views.order, name="order"),
    path("orders/<str:number>/invoice/", views.invoice, name="invoice"),
    path("orders/<str:number>/pay/", views.pay, name="pay"),
    path("orders/<str:number>/paid/", views.paid, name="paid"),
    path("orders/<str:number>/back/", views.back, name="back"),
    path("orders/<str:number>/drop/", views.drop, name="drop"),
    path("payments/hook/<slug:name>/", views.hook, name="hook"),
]
