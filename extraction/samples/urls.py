"""URLs of the samples, without sign-in, because feed readers cannot sign in."""

from django.urls import path

from extraction.samples import views

urlpatterns = [
    path("samples/feed.xml", views.feed, name="sample_feed"),
    path("samples/<slug:post_id>.html", views.page, name="sample"),
]
