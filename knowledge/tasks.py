"""The projection lanes, one task a store: bring the store up to the record, ring again while anything was done."""

from __future__ import annotations

from celery import shared_task

from kgbuilder.celery import ring


@shared_task
def project_rdf() -> None:
    """Write the units of the RDF store that are behind."""
    from knowledge.graphs import projector

    if projector.run("rdf"):
        ring("project.rdf")
