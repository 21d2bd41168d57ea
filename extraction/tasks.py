"""The extraction lanes, one task each: claim what is due, do a batch, ring again while anything was claimed.

A message brings no work, so a task that finds nothing due just ends, and one that dies is done over by the next ring.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Protocol

from celery import Task, shared_task
from django.conf import settings

from extraction import reading
from extraction.models import Checkpoint, Deployment
from extraction.schema import Claimed, Document, Extraction
from kgbuilder.celery import ring
from kgbuilder.parts import run_folder
from kgbuilder.supervision.leases import lease
from knowledge import recorder

logger = logging.getLogger(__name__)

READ_BATCH = 16  # posts: some hundred sentences, so that the network's batches are full
# The I/O worker's threads are shared out, so that slow pages never keep the graph waiting.
_polls, _visits = BoundedSemaphore(2), BoundedSemaphore(4)


class Reader(Protocol):
    """What reads documents: `extraction.pipeline.Extractor`, or what the setting EXTRACTOR names."""

    def read(self, documents: Sequence[Document]) -> list[Extraction]: ...


@shared_task(bind=True)
def read(self: Task[Any, Any]) -> None:
    """Read a batch of due posts by the deployed checkpoint and record what was found."""
    deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    if deployed is None:
        return
    worker = str(self.request.hostname)
    _free_once(worker)
    with lease(run_folder(), os.environ.get("KGBUILDER_PART", "reader"), reading.LEASE.total_seconds()):
        claims = reading.claim(worker, READ_BATCH, checkpoint=deployed.checkpoint)
        if claims:
            _read_and_record(claims, deployed.checkpoint)
    if claims:
        ring("project.rdf")
        ring("read")


def _read_and_record(claims: list[Claimed], checkpoint: Checkpoint) -> None:
    """Each post by itself once it is read: one that cannot be recorded keeps its error and holds up no other."""
    try:
        found = _reader(checkpoint.path, checkpoint.digest).read([claimed.document for claimed in claims])
        for claimed, extraction in zip(claims, found, strict=True):
            _record(claimed, extraction)
    finally:
        reading.release(claims)  # what has not been recorded, because something broke that is no post's fault


def _record(claimed: Claimed, extraction: Extraction) -> None:
    if extraction.declined is not None and extraction.declined.code == "failed":
        reading.fail(claimed, extraction.declined.message)
        return
    try:
        recorder.record(claimed, extraction)
    except recorder.Unplannable as error:
        logger.warning("Reading %s was not recorded: %s", claimed.reading_id, error)
        reading.fail(claimed, error)


@lru_cache(maxsize=1)
def _reader(path: str, digest: str) -> Reader:
    """The checkpoint's network, loaded once a process; torch is imported here and nowhere earlier."""
    module, _, name = (settings.EXTRACTOR or "extraction.pipeline:Extractor").partition(":")
    reader: Reader = getattr(import_module(module), name).load(Path(path), device=settings.DEVICE)
    return reader


@lru_cache
def _free_once(worker: str) -> None:
    """What this worker held in an earlier life is due again, without waiting for the lease to run out."""
    reading.free(worker)
