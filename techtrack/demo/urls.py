"""Addresses of the demo's pages."""

from django.urls import path

from techtrack.demo import views

urlpatterns = [
    path("demo/", views.guide, name="demo"),
    path("demo/break/<slug:name>/", views.break_something, name="demo-break"),
    path("demo/inbox/", views.mail_list, name="demo-inbox"),
    path("demo/inbox/<slug:name>/", views.one_mail, name="demo-mail"),
]
