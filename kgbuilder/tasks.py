"""The queue that monitors the others."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from kgbuilder.monitoring import clock, conditions, notices
from kgbuilder.supervision import heartbeat


@shared_task
def watch() -> None:
    """Checks the clock, records the stores' heartbeats, detects problems and sends notices."""
    clock.follow()
    conditions.record_stores()
    notices.settle(conditions.conditions(timezone.now()))
    notices.send()
    heartbeat.forget_old()
