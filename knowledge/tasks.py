"""The projection lanes, one task a store: bring the store up to the record, ring again while anything was done."""

from __future__ import annotations

import os
from typing import Any

from celery import Task, shared_task

from kgbuilder.celery import ring
from kgbuilder.parts import run_folder
from kgbuilder.supervision.leases import AtStart, lease
from knowledge.graphs import projector

LEASE_SECONDS = 600.0  # a run ends by itself after a fraction of this; longer means that it hangs


_free = AtStart(projector.free)


@shared_task(bind=True)
def project_rdf(self: Task[Any, Any]) -> None:
    """Write the units of the RDF store that are behind."""
    worker = str(self.request.hostname)
    _free(worker)
    with lease(run_folder(), os.environ.get("KGBUILDER_PART", "io"), LEASE_SECONDS):
        done = projector.run("rdf", worker=worker)
    if done:
        ring("project.rdf")
