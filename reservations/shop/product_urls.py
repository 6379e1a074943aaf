"""The addresses of the grid and of products, in the namespace `catalog`."""

from django.urls import path

from reservations.shop import grid, opening, product, suggestions, viewed

app_name = "catalog"
urlpatterns = [
    path("", grid.grid, name="grid"),
    path("suggestions/", suggestions.suggestions, name="suggestions"),
    path("p/<slug:slug>/", product.product, name="product"),
    path("p/<slug:slug>/opening.ics", opening.opening, name="opening"),
    path("viewed/", viewed.viewed, name="viewed"),
]
