"""The lane that looks after the others."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from kgbuilder.monitoring import clock, conditions, notices
from kgbuilder.supervision import heartbeat


@shared_task
def watch() -> None:
    """Look at the clock, hear the stores, find what is wrong, tell the admins."""
    clock.follow()
    conditions.hear_stores()
    notices.settle(conditions.conditions(timezone.now()))
    notices.send()
    heartbeat.forget_old()
