"""Celery tasks for projection (one for each store), linking and retention; each queues itself while work is left."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

from celery import Task, shared_task
from django.conf import settings
from django.utils import timezone

from extraction.crawler import http_client, politeness
from extraction.models import Deployment, Reading
from extraction.readings import reading_requests, text_requests
from kgbuilder.celery import ring, ring_projectors
from kgbuilder.supervision import telemetry
from kgbuilder.supervision.parts import run_folder
from kgbuilder.supervision.watchdog import AtStart, lease
from knowledge.graphs import projector
from knowledge.record import retention
from knowledge.record.projection_queue import store_names
from knowledge.sources import cached_client
from knowledge.sources.cached_client import ServiceResponse, Unanswered

NAMES = {"rdf": "RDF graph", "neo4j": "graph in Neo4j"}
LOOKED_UP = 10  # entities in one run: each may wait for several services
# A service that hangs opens its circuit after four requests of two tries: well within the lease, for several.
PATIENCE_SECONDS, SERVICE_SECONDS = 10.0, 20.0
LEASE_SECONDS = 600.0  # a run ends by itself after a fraction of this; longer means that it hangs


# Services may hang: they hold few of the I/O worker's threads, so that feeds and graphs never wait for them.
_links = BoundedSemaphore(2)
_free = AtStart(projector.free, lambda worker: projector.forget_others(store_names()))


@shared_task(bind=True)
def project_rdf(self: Task[Any, Any]) -> None:
    """Write the stale graph updates of the RDF store."""
    _project("rdf", str(self.request.hostname))


@shared_task(bind=True)
def link(self: Task[Any, Any]) -> None:
    """Link entities that are due, by the sources that KNOWLEDGE names."""
    from knowledge.linking import link_queue, linker_from_settings

    _show_facts()
    if not _links.acquire(blocking=False):
        return
    try:
        with lease(run_folder(), os.environ.get("KGBUILDER_PART", "io"), LEASE_SECONDS):
            linker = linker_from_settings.linker(send)
            done = linker and link_queue.look_up(
                linker, linker_from_settings.NAME, LOOKED_UP, linker_from_settings.encyclopedias(send)
            )
    finally:
        _links.release()
    if done:
        if settings.FACTS_READ_AGAIN:
            _read_again(done.entities)
        ring("link")
        ring_projectors()


def _read_again(entities: Collection[int]) -> None:
    """Request another reading of the posts that mention one of these entities, where the reader takes facts."""
    from knowledge.linking import fact_queue

    deployed = Deployment.objects.filter(active=True, checkpoint__facts=True).select_related("checkpoint").first()
    if deployed is not None and entities:
        versions = fact_queue.versions_that_mention(entities, deployed.checkpoint)
        reading_requests.request(versions, deployed.checkpoint, reading_requests.Why.FACTS)


def _show_facts() -> None:
    """Look up the facts that readers are shown, before any service is asked: no post waits for a service."""
    from knowledge.linking import fact_queue, linker_from_settings

    if Reading.objects.filter(stage=Reading.Stage.LINK, due_at__lte=timezone.now()).exists():
        with lease(run_folder(), os.environ.get("KGBUILDER_PART", "io"), LEASE_SECONDS):
            if fact_queue.prepare(linker_from_settings.local()):
                ring("read")
                ring("link")


def send(url: str, accept: str) -> ServiceResponse:
    """Send a request to a knowledge service in its host's turn, which all processes share, by the guarded client.
    Raises Unanswered."""
    try:
        politeness.wait_turn(url, PATIENCE_SECONDS)
        found = http_client.get(url, accept=accept, deadline=SERVICE_SECONDS)
    except politeness.HostBusy as busy:
        raise Unanswered(str(busy), retry_after=busy.seconds) from busy
    except http_client.FetchError as error:
        if error.retry_after:
            politeness.hold(url, error.retry_after)
        final = error.code in ("url", "address", "tls", "redirects", "too_big")
        sentence = error.sentence.replace(url, urlsplit(url).netloc)
        raise Unanswered(sentence, status=error.status, retry_after=error.retry_after, final=final) from error
    return ServiceResponse(found.content, found.content_type)


@shared_task(bind=True)
def project_neo4j(self: Task[Any, Any]) -> None:
    """Write the stale graph updates of Neo4j."""
    _project("neo4j", str(self.request.hostname))


def _project(store: str, worker: str) -> None:
    _free(worker)
    with lease(run_folder(), os.environ.get("KGBUILDER_PART", "io"), LEASE_SECONDS):
        with telemetry.stage(f"project.{store}", f"writing the {NAMES[store]}", 0):
            done = projector.run(store, worker=worker)
        telemetry.count(telemetry.STAGE_UNITS, f"project.{store}", done.done)
    if done:
        ring(f"project.{store}")


@shared_task
def prune() -> None:
    """Delete bodies and readings that are older than the settings, old answers of services and old analysed texts,
    some at a time."""
    with lease(run_folder(), os.environ.get("KGBUILDER_PART", "io"), LEASE_SECONDS):
        done = retention.prune()
        text_requests.delete_old()
        deleted = cached_client.forget(timedelta(days=4 * settings.KNOWLEDGE_DAYS))
    if done or deleted:
        ring("prune")
