"""The extraction lanes, one task each: claim what is due, do a batch, ring again while anything was claimed.

A message brings no work, so a task that finds nothing due just ends, and one that dies is done over by the next ring.
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
# robots.txt at every host that they lead to. One slow publisher must not have the others' threads ended.
IO_LEASE_SECONDS = 900.0
# The I/O worker's threads are shared out, so that slow pages never keep the graph waiting.
_polls, _visits = BoundedSemaphore(2), BoundedSemaphore(4)
_free = AtStart(leases.free)
_owed: list[Claimed] = []  # readings that this worker holds and could not hand back; it reads one batch at a time


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
    """Visit the pages of posts that are due."""
    worker = _worker(self)
    with _share(_visits) as mine, _busy("io", IO_LEASE_SECONDS) as alive:
        claims = visits.claim(VISIT_BATCH, worker) if mine else []
        _ring_for_more("fetch", claims, VISIT_BATCH)
        with telemetry.stage("fetch", f"visiting {len(claims)} pages", len(claims)):
            visits.visit_all(claims, projection_queue.mark_posts, alive)
    if claims:
        ring("read")
        ring_projectors()
        ring("fetch")


@shared_task(bind=True)
def read(self: Task[Any, Any]) -> None:
    """Read texts that people wait for; read a batch of due posts by the deployed checkpoint and record what was found;
    look at a batch of pictures."""
    worker = _worker(self)
    deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    answered = 0 if deployed is None else _answer_due(worker, deployed.checkpoint)
    claimed = 0 if deployed is None else _read_due(worker, deployed.checkpoint)
    looked = _look_at_due(deployed.checkpoint if deployed else None)
    image_retention.let_go()
    if claimed:
        ring_projectors()
    if answered or claimed or looked == detection.BATCH:
        ring("read")


def _answer_due(worker: str, checkpoint: Checkpoint) -> int:
    """Reads texts that somebody waits for, before any post; how many were claimed."""
    if not text_requests.due():
        return 0
    with _busy("reader", text_requests.LEASE.total_seconds()):
        reader = _reader(checkpoint.path, checkpoint.digest)
        held = text_requests.claim(worker)
        with telemetry.stage("read", f"reading {len(held)} texts that somebody sent", 0):
            text_requests.answer(reader, held, thresholds.active())
    return len(held)


def _read_due(worker: str, checkpoint: Checkpoint) -> int:
    """How many were claimed."""
    if _owed:
        _hand_back([])
    if not Reading.objects.filter(checkpoint=checkpoint, stage=Reading.Stage.READ, due_at__lte=timezone.now()).exists():
        return 0
    with _busy("reader", readings_queue.LEASE.total_seconds()):
        # Before the claim: a worker that dies while it loads must not count as a death while it read these posts.
        reader = _reader(checkpoint.path, checkpoint.digest)
        claims = readings_queue.claim(worker, READ_BATCH, checkpoint=checkpoint)
        _ring_for_more("read", claims, READ_BATCH)
        if claims:
            _read_and_record(reader, claims)
    return len(claims)


def _look_at_due(checkpoint: Checkpoint | None = None) -> int:
    """Looks at pictures that are due; how many were claimed. Where no detector is set or can be had they stay due.

    Posts that `checkpoint` had read before these came, or before there was a detector, are due to be read again.
    """
    if settings.DETECTOR_WEIGHTS is None or not detection.due():
        return 0
    with _busy("reader", readings_queue.LEASE.total_seconds()):
        sight = detectors_from_settings.load_or_say()
        with telemetry.stage("look", "looking at pictures", 0):
            if sight is None:
                return 0
            began = timezone.now()
            looked = detection.look_at_due(sight)
            if checkpoint is not None and settings.READ_AGAIN_FOR_PICTURES:
                reading_requests.request_after_pictures(checkpoint, since=began)
            return looked


def _read_and_record(reader: Reader, claims: list[Claimed]) -> None:
    """One that cannot be read or recorded keeps its error and holds up no other."""
    try:
        shown = _with_pictures(claims)
        with telemetry.stage("read", f"reading {len(claims)} posts", len(claims)):
            found = reader.read([claimed.document for claimed in shown])
        with telemetry.stage("record", f"recording {len(claims)} readings", 0):
            _record(list(zip(claims, found, strict=True)))
    finally:
        _hand_back(claims)  # what has not been recorded, because something broke that is no post's fault


def _hand_back(claims: Sequence[Claimed]) -> None:
    """Where the database is away the next run makes up for it: else they would wait until their leases run out."""
    _owed.extend(claims)
    try:
        readings_queue.release(_owed)
    except DatabaseGone as error:
        logger.warning("%s readings cannot be handed back yet: %s", len(_owed), str(error).strip())
    else:
        _owed.clear()


def _with_pictures(claims: list[Claimed]) -> list[Claimed]:
    """The claims with what their pictures show; as they are where that cannot be had: words are read without."""
    try:
        return detection.with_pictures(claims, detectors_from_settings.load_or_say())
    except Exception:
        logger.exception("The pictures of %s posts were not looked at; the posts are read without", len(claims))
        return claims


def _record(pairs: list[tuple[Claimed, Extraction]]) -> None:
    sound = []
    for claimed, extraction in pairs:
        if extraction.declined is not None and extraction.declined.code == "failed":
            readings_queue.fail(claimed, extraction.declined.message)
        else:
            sound.append((claimed, extraction))
    for (claimed, _), outcome in zip(sound, recorder.record_many(sound), strict=True):
        with telemetry.about(reading=claimed.reading_id, post=claimed.document.id):
            if isinstance(outcome, Exception):
                logger.warning("The reading was not recorded: %s", outcome)
                # What the checkpoint gave does not fit this version: another attempt alone would give the same.
                readings_queue.fail(claimed, f"The result could not be recorded: {outcome} Promote another checkpoint.")
            else:
                logger.info("The reading is recorded.")


@lru_cache(maxsize=1)
def _reader(path: str, digest: str) -> Reader:
    """The checkpoint's network, loaded once a process; torch is imported by this and nothing earlier."""
    return reader_from_settings.load(path)


def _worker(task: Task[Any, Any]) -> str:
    """The worker's name. What it held in an earlier life is due again at once, not when the leases run out."""
    name = str(task.request.hostname)
    _free(name)
    return name


def _ring_for_more(lane: str, claims: Sequence[object], limit: int) -> None:
    """A full claim: there may be more, which another thread or worker can take meanwhile."""
    if len(claims) == limit:
        ring(lane)


@contextmanager
def _share(threads: BoundedSemaphore) -> Iterator[bool]:
    """Whether this lane may have another thread; a ring that finds none is dropped, those at work ring again."""
    mine = threads.acquire(blocking=False)
    try:
        yield mine
    finally:
        if mine:
            threads.release()


@contextmanager
def _busy(part: str, seconds: float) -> Iterator[Callable[[], None]]:
    """Let the supervisor end this process if the block hangs for longer than `seconds`, from its last sign of life."""
    with lease(run_folder(), os.environ.get("KGBUILDER_PART", part), seconds) as alive:
        yield alive
