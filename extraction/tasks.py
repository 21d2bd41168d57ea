"""Celery tasks of the extraction queues: claim due rows, do a batch, ring again while anything was claimed.

A wake-up message carries no work, so a task that finds nothing due just ends, and the work of one that dies is claimed
again after the next message.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from django.conf import settings
from django.db import Error as DatabaseGone
from django.utils import timezone

from extraction import leases
from extraction.feeds import polling
from extraction.images import detection, detectors_from_settings, image_retention
from extraction.models import Checkpoint, Deployment, Reading
from extraction.posts import visits
from extraction.readings import queue as readings_queue
from extraction.readings import reader_from_settings, reading_requests, text_requests
from extraction.schema import Claimed, Extraction
from kgbuilder.celery import ring, ring_projectors
from kgbuilder.supervision import telemetry
from kgbuilder.supervision.parts import run_folder
from kgbuilder.supervision.watchdog import AtStart, lease
from knowledge.record import projection_queue, thresholds
from knowledge.recording import recorder

if TYPE_CHECKING:
    from extraction.reader.reader import Reader

logger = logging.getLogger(__name__)

READ_BATCH = 16  # posts: some hundred sentences, so that the network's batches are full
POLL_BATCH = 4
VISIT_BATCH = 4
# Far more than one feed or page takes: its fetches and those of its pictures, each within its own deadline, with a
# robots.txt of every host involved. One slow publisher must not end the threads of the others.
IO_LEASE_SECONDS = 900.0
# Limits on the I/O worker's threads, so that slow pages never delay the projection of the graph.
_polls, _visits = BoundedSemaphore(2), BoundedSemaphore(4)
_free = AtStart(leases.free)
_unreleased: list[Claimed] = []  # claims that this worker could not release yet; it reads one batch at a time


@shared_task(bind=True)
def poll(self: Task[Any, Any]) -> None:
    """Poll the feeds that are due."""
    worker = _worker(self)
    with _share(_polls) as mine, _busy("io", IO_LEASE_SECONDS) as alive:
        claims = polling.claim(POLL_BATCH, worker) if mine else []
        _ring_for_more("poll", claims, POLL_BATCH)
        with telemetry.stage("poll", f"polling {len(claims)} feeds", len(claims)):
            done = polling.poll_all(claims, projection_queue.mark_posts, alive)
    if done.new or done.changed:
        ring("fetch")
    if claims:
        ring("poll")


@shared_task(bind=True)
def fetch(self: Task[Any, Any]) -> None:
    """Fetch the article pages of posts that are due."""
    worker = _worker(self)
    with _share(_visits) as mine, _busy("io", IO_LEASE_SECONDS) as alive:
        claims = visits.claim(VISIT_BATCH, worker) if mine else []
        _ring_for_more("fetch", claims, VISIT_BATCH)
        with telemetry.stage("fetch", f"fetching {len(claims)} pages", len(claims)):
            visits.visit_all(claims, projection_queue.mark_posts, alive)
    if claims:
        ring("read")
        ring_projectors()
        ring("fetch")


@shared_task(bind=True)
def read(self: Task[Any, Any]) -> None:
    """Analyse texts that people wait for; analyse a batch of due posts with the deployed checkpoint and record the
    results; run the detector on a batch of pictures."""
    worker = _worker(self)
    deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    answered = 0 if deployed is None else _answer_due(worker, deployed.checkpoint)
    claimed = 0 if deployed is None else _read_due(worker, deployed.checkpoint)
    detected = _detect_due(deployed.checkpoint if deployed else None)
    image_retention.delete_old_copies()
    if claimed:
        ring_projectors()
    if answered or claimed or detected == detection.BATCH:
        ring("read")


def _answer_due(worker: str, checkpoint: Checkpoint) -> int:
    """Analyse texts that people wait for, before any post; returns how many were claimed."""
    if not text_requests.due():
        return 0
    with _busy("reader", text_requests.LEASE.total_seconds()):
        reader = _reader(checkpoint.path, checkpoint.digest)
        held = text_requests.claim(worker)
        with telemetry.stage("read", f"analysing {len(held)} texts from people", 0):
            text_requests.answer(reader, held, thresholds.active())
    return len(held)


def _read_due(worker: str, checkpoint: Checkpoint) -> int:
    """Analyse a batch of due posts; returns how many were claimed."""
    if _unreleased:
        _release([])
    if not Reading.objects.filter(checkpoint=checkpoint, stage=Reading.Stage.READ, due_at__lte=timezone.now()).exists():
        return 0
    with _busy("reader", readings_queue.LEASE.total_seconds()):
        # Before the claim: a worker that dies while it loads must not count against these posts.
        reader = _reader(checkpoint.path, checkpoint.digest)
        claims = readings_queue.claim(worker, READ_BATCH, checkpoint=checkpoint)
        _ring_for_more("read", claims, READ_BATCH)
        if claims:
            _read_and_record(reader, claims)
    return len(claims)


def _detect_due(checkpoint: Checkpoint | None = None) -> int:
    """Run the detector on due pictures; returns how many were claimed. Without an available detector they stay due.

    Posts that `checkpoint` analysed before their pictures, or without a detector, are due to be analysed again.
    """
    if settings.DETECTOR_WEIGHTS is None or not detection.due():
        return 0
    with _busy("reader", readings_queue.LEASE.total_seconds()):
        analyser = detectors_from_settings.load_or_log()
        with telemetry.stage("look", "detecting in pictures", 0):
            if analyser is None:
                return 0
            began = timezone.now()
            detected = detection.detect_due(analyser)
            if checkpoint is not None and settings.READ_AGAIN_FOR_PICTURES:
                reading_requests.request_after_pictures(checkpoint, since=began)
            return detected


def _read_and_record(reader: Reader, claims: list[Claimed]) -> None:
    """Analyse and record claimed readings. An error is stored with its reading and does not stop the others."""
    try:
        with_pictures = _with_pictures(claims)
        with telemetry.stage("read", f"analysing {len(claims)} posts", len(claims)):
            extractions = reader.read([claimed.document for claimed in with_pictures])
        with telemetry.stage("record", f"recording {len(claims)} readings", 0):
            _record(list(zip(claims, extractions, strict=True)))
    finally:
        _release(claims)  # what has not been recorded, because of an error that no post has caused


def _release(claims: Sequence[Claimed]) -> None:
    """Release claims. Where the database is unavailable, the next run retries: else the leases would have to expire."""
    _unreleased.extend(claims)
    try:
        readings_queue.release(_unreleased)
    except DatabaseGone as error:
        logger.warning("%s readings cannot be released yet: %s", len(_unreleased), str(error).strip())
    else:
        _unreleased.clear()


def _with_pictures(claims: list[Claimed]) -> list[Claimed]:
    """The claims with the regions of their pictures; unchanged where detection fails: the texts are analysed anyway."""
    try:
        return detection.with_pictures(claims, detectors_from_settings.load_or_log())
    except Exception:
        logger.exception(
            "Detection failed for the pictures of %s posts; the posts are analysed without them", len(claims)
        )
        return claims


def _record(pairs: list[tuple[Claimed, Extraction]]) -> None:
    recordable = []
    for claimed, extraction in pairs:
        if extraction.declined is not None and extraction.declined.code == "failed":
            readings_queue.fail(claimed, extraction.declined.message)
        else:
            recordable.append((claimed, extraction))
    for (claimed, _), outcome in zip(recordable, recorder.record_many(recordable), strict=True):
        with telemetry.about(reading=claimed.reading_id, post=claimed.document.id):
            if isinstance(outcome, Exception):
                logger.warning("The reading was not recorded: %s", outcome)
                # A result that does not fit this version is the same at every attempt; the database's error may pass.
                message = f"The result could not be recorded: {outcome} Promote another checkpoint."
                readings_queue.fail(claimed, message, final=isinstance(outcome, recorder.Unplannable))
            else:
                logger.info("The reading is recorded.")


@lru_cache(maxsize=1)
def _reader(path: str, digest: str) -> Reader:
    """The checkpoint's reader, loaded once per process; torch is not imported before."""
    return reader_from_settings.load(path)


def _worker(task: Task[Any, Any]) -> str:
    """The worker's name. The leases of its earlier process end now, not when they expire."""
    name = str(task.request.hostname)
    _free(name)
    return name


def _ring_for_more(queue: str, claims: Sequence[object], limit: int) -> None:
    """Ring after a full claim: there may be more, which another thread or worker can take meanwhile."""
    if len(claims) == limit:
        ring(queue)


@contextmanager
def _share(threads: BoundedSemaphore) -> Iterator[bool]:
    """Whether this queue may use another thread. If not, the message is dropped: the threads at work ring again."""
    mine = threads.acquire(blocking=False)
    try:
        yield mine
    finally:
        if mine:
            threads.release()


@contextmanager
def _busy(part: str, seconds: float) -> Iterator[Callable[[], None]]:
    """Let the supervisor end this process if the block hangs for more than `seconds` after its last sign of life."""
    with lease(run_folder(), os.environ.get("KGBUILDER_PART", part), seconds) as alive:
        yield alive
