"""Addresses of the product; each room keeps its own list."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from kgbuilder.web import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("api/v1/", include("knowledge.api.routes")),
]
urlpatterns += [
    path("", include(name))
    for name in ("extraction.samples.urls", "knowledge.urls", "training.urls")
    if find_spec(name)
]

handler500 = "knowledge.views.errors.server_error"
