"""Reads and updates the installation's one row."""

from __future__ import annotations

from django.conf import settings

from kgbuilder.models import Installation


def this() -> Installation:
    """The installation's one row; the first migration made it."""
    found = Installation.objects.order_by("pk").first()
    return found or Installation.objects.create(base_iri=settings.BASE_IRI)


def base_iri_differs() -> str:
    """The stored BASE_IRI where the settings have another; else empty. Until `rebuild_graph` the graph holds both."""
    stored = this().base_iri
    return "" if stored == settings.BASE_IRI else stored


def base_iri_rebuilt() -> None:
    """Called by `rebuild_graph` once the whole graph is written with the present BASE_IRI."""
    Installation.objects.filter(pk=this().pk).update(base_iri=settings.BASE_IRI)
