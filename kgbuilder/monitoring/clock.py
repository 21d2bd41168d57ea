"""Handles a clock that was set back: work planned by the former time would wait until the clock has caught up."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.apps import apps
from django.db import transaction
from django.db.models import DateTimeField, F
from django.utils import timezone

from kgbuilder import installation
from kgbuilder.models import Installation

logger = logging.getLogger(__name__)

SLACK = timedelta(seconds=60)  # clocks of several machines differ, and are corrected by a little all the time
PLANNED = ("due_at", "lease_until", "next_request_at", "robots_until", "until")


def follow(now: datetime | None = None) -> timedelta:
    """Moves all planned times back by as much as the clock was set back. Called every few seconds.

    Returns by how much; zero nearly always.
    """
    now = now or timezone.now()
    with transaction.atomic():
        this = Installation.objects.select_for_update().get(pk=installation.this().pk)
        back = this.clock_at - now if this.clock_at and this.clock_at - now > SLACK else timedelta()
        if back:
            _move_back(now, back)
        # Of two machines whose clocks differ a little, the later time is stored.
        later = now if back or this.clock_at is None else max(now, this.clock_at)
        Installation.objects.filter(pk=this.pk).update(clock_at=later)
    if back:
        logger.warning("The clock was set back by %s; planned times move back with it.", back)
    return back


def _move_back(now: datetime, by: timedelta) -> None:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.name in PLANNED and isinstance(field, DateTimeField):
                rows = model._default_manager.filter(**{f"{field.name}__gt": now})
                rows.update(**{field.name: F(field.name) - by})
