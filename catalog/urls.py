from django.urls import path

from catalog import views

app_name = "catalog"
urlpatterns = [
    path("", views.grid, name="grid"),
    path("stock/", views.stock, name="stock"),
    path("p/<slug:slug>/", views.product, name="product"),
]
