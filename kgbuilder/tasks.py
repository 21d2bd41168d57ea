"""The lane that looks after the others."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from kgbuilder import clock, heartbeat, notices, watching


@shared_task
def watch() -> None:
    """Look at the clock, hear the stores, find what is wrong, tell the admins."""
    clock.follow()
    watching.hear_stores()
    notices.settle(watching.conditions(timezone.now()))
    notices.send()
    heartbeat.forget_old()
