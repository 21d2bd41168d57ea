"""Celery: the queues, the wake-up messages, and beat, which wakes every queue every few seconds.

A message names a queue (`lane`) and never the work: the queue's task claims what is due. So a lost, doubled or late
message delays work until the next sweep of beat, and a full disk or a stopped broker delays posts but loses none.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery import Celery
from celery.beat import ScheduleEntry, Scheduler
from celery.platforms import SecurityWarning
from celery.signals import beat_init, setup_logging, worker_ready
from django.conf import settings

from kgbuilder import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kgbuilder.settings")
logger = logging.getLogger(__name__)
# The warning concerns pickled messages from strangers. Ours are JSON and carry no work; in a container we may be root.
warnings.filterwarnings("ignore", category=SecurityWarning)


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue: its task, and how often beat wakes it. A wake-up message that nobody has taken by then expires."""

    task: str
    every_s: float


LANES: dict[str, Lane] = {
    "poll": Lane("extraction.tasks.poll", 10.0),
    "fetch": Lane("extraction.tasks.fetch", 3.0),
    "read": Lane("extraction.tasks.read", 3.0),
    "link": Lane("knowledge.tasks.link", 5.0),
    "project.rdf": Lane("knowledge.tasks.project_rdf", 3.0),
    "watch": Lane("kgbuilder.tasks.watch", 15.0),
    "prune": Lane("knowledge.tasks.prune", 1800.0),
    "train": Lane("training.tasks.train", 5.0),
    "check": Lane("training.tasks.check", 3.0),
}
if settings.NEO4J_URL:
    LANES["project.neo4j"] = Lane("knowledge.tasks.project_neo4j", 2.0)
RING_EXPIRES_SECONDS = 120
# After a failed message the broker is left alone for this long, so that a page never waits for it twice in a row.
QUIET_SECONDS = 5.0
CLOCK_SLACK_SECONDS = 2.0  # clocks are corrected by a little all the time


def make_app(url: str, *, current: bool = False) -> Celery:
    """Celery over the broker at `url`."""
    broker.register()
    celery_app = Celery("kgbuilder", set_as_current=current)
    celery_app.conf.update(
        broker_url=url,
        broker_transport_options=_transport_options(url),
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        # A solo worker answers no heartbeat while it reads a batch.
        broker_heartbeat=0,
        task_ignore_result=True,
        # A broker that restarts may lose wake-up messages; nothing waits for its disk.
        task_default_delivery_mode="transient",
        task_create_missing_queues=True,
        task_default_queue="poll",
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        timezone="UTC",
        beat_scheduler="kgbuilder.celery:LaneScheduler",
        beat_max_loop_interval=1,
        beat_schedule={name: {"task": lane.task, "schedule": lane.every_s} for name, lane in LANES.items()},
        imports=("kgbuilder.tasks", "extraction.tasks", "knowledge.tasks", "training.tasks"),
    )
    return celery_app


def _transport_options(url: str) -> dict[str, Any]:
    if url.startswith("filesystem:"):
        return {"folder": str(settings.BROKER_FOLDER), "polling_interval": 0.1}
    if url.startswith("amqp"):
        # Unconfirmed, a message is not yet counted when the next one checks how many wait.
        return {"max_retries": 0, "confirm_publish": True}
    return {"max_retries": 0, "socket_connect_timeout": 2, "socket_timeout": 10} if url.startswith("redis") else {}


def _deployed_app() -> Celery:
    return make_app(settings.BROKER_URL, current=True)


app = _deployed_app()


class Doorbell:
    """Sends wake-up messages. Never raises: a failure is logged, and beat's next sweep finds the work."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._quiet_until = 0.0

    def ring(self, lane: str) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            self._send(lane)
        except Exception as error:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            logger.warning("The broker cannot be reached, so queue %s waits for the next sweep: %s", lane, error)

    def _send(self, lane: str) -> None:
        with self._app.producer_pool.acquire(block=True, timeout=2) as producer:
            channel = producer.connection.default_channel
            # Declaring an existing queue changes nothing and returns how many messages wait in it.
            waiting = channel.queue_declare(queue=lane, durable=True, auto_delete=False).message_count
            if not waiting:
                self._app.send_task(
                    LANES[lane].task, queue=lane, expires=RING_EXPIRES_SECONDS, producer=producer, retry=False
                )


_doorbell = Doorbell(app)


def ring(lane: str) -> None:
    """Sends the queue a wake-up message: at once, or when the caller's transaction has been committed.

    Does nothing if one waits already. Never raises for the broker's sake; KeyError for an unknown queue.
    """
    from django.db import connection, transaction

    if lane not in LANES:
        raise KeyError(f"There is no queue {lane!r}; there are {', '.join(LANES)}.")
    if connection.in_atomic_block:
        transaction.on_commit(partial(_doorbell.ring, lane))
    else:
        _doorbell.ring(lane)


def ring_projectors() -> None:
    """Wakes the projectors of all stores that are set up."""
    for lane in LANES:
        if lane.startswith("project."):
            ring(lane)


class LaneScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Beat that sends wake-up messages, so that sweeps during an outage or a long batch do not pile up.

    When the clock is set back it restarts its intervals. Celery's scheduler would send nothing until the clock has
    caught up, not even to the queue `watch` that would notice.
    """

    _seen: tuple[float, float] | None = None  # the time of day and the steady time of the last tick

    def tick(self, *args: Any, **kwargs: Any) -> float:
        day, steady = time.time(), time.monotonic()
        if self._seen and (steady - self._seen[1]) - (day - self._seen[0]) > CLOCK_SLACK_SECONDS:
            logger.warning("The clock was set back; the intervals of all queues start again.")
            for entry in self.schedule.values():
                entry.last_run_at = entry.default_now()
            self._heap = None
        self._seen = day, steady
        waits: float = super().tick(*args, **kwargs)
        return waits

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        if advance:
            self.reserve(entry)
        _doorbell.ring(entry.name)


@worker_ready.connect
def _ready_and_ring(sender: Any = None, **kwargs: Any) -> None:
    """Beat restarts its intervals with each start, so a worker wakes its own queues when it starts."""
    _beat_as("worker")
    print("ready", flush=True)
    for queue in sender.task_consumer.queues if sender is not None else ():
        if queue.name in LANES:
            _doorbell.ring(queue.name)


@beat_init.connect
def _beat_ready(**kwargs: Any) -> None:
    _beat_as("beat")
    print("ready", flush=True)


def _beat_as(part: str) -> None:
    from kgbuilder.supervision import heartbeat

    heartbeat.start(part)


@setup_logging.connect
def _settings_have_set_up_logging(**kwargs: Any) -> None:
    """Celery leaves logging alone where this signal has a receiver."""
