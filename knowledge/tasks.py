"""The projection lanes, one task a store: bring the store up to the record, ring again while anything was done."""

from __future__ import annotations

import os

from celery import shared_task

from kgbuilder.celery import ring
from kgbuilder.parts import run_folder
from kgbuilder.supervision.leases import lease
from knowledge.graphs import projector

LEASE_SECONDS = 600.0  # a run ends by itself after a fraction of this; longer means that it hangs


@shared_task
def project_rdf() -> None:
    """Write the units of the RDF store that are behind."""
    with lease(run_folder(), os.environ.get("KGBUILDER_PART", "io"), LEASE_SECONDS):
        done = projector.run("rdf")
    if done:
        ring("project.rdf")
