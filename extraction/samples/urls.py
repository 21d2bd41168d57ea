"""The samples' addresses; no one needs to sign in for them, a feed reader cannot."""

from django.urls import path

from extraction.samples import views

urlpatterns = [
    path("samples/feed.xml", views.feed, name="sample_feed"),
    path("samples/<slug:post_id>.html", views.page, name="sample"),
]
