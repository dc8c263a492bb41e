from django.urls import path

from guestbook import views

urlpatterns = [
    path("", views.index, name="index"),
    path("add", views.add, name="add"),
    path("api/entries", views.entries),
    path("api/release", views.release),
    path("healthz", views.healthz),
]
