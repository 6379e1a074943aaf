from django.urls import path

from reservations.shop.waiting import joining, place

app_name = "waiting"
urlpatterns = [
    path("p/<slug:slug>/waiting-list/", joining.join, name="join"),
    path("waiting-list/<uuid:entry_id>/", place.place, name="place"),
    path("waiting-list/<uuid:entry_id>/confirm/", place.confirm, name="confirm"),
    path("waiting-list/<uuid:entry_id>/leave/", place.leave, name="leave"),
    path("waiting-list/<uuid:entry_id>/decline/", place.decline, name="decline"),
    path("waiting-list/<uuid:entry_id>/unsubscribe/", place.unsubscribe, name="unsubscribe"),
]
