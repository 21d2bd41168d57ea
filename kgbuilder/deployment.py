"""Puts a checkpoint in force: which one reads, what it has read already, what it has yet to read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import transaction

from extraction import reading, registry
from extraction.models import Checkpoint, Deployment
from knowledge import events, recorder, thresholds


def deploy_folder(folder: Path, by: events.Who = None) -> Checkpoint:
    """Registers the checkpoint in a folder and puts it in force as the settings say; nothing changes where it is.

    Raises registry.NoCheckpoint, or ValueError for a threshold of an unknown relation.
    """
    checkpoint = registry.register(folder)
    deploy(checkpoint, _wanted(checkpoint), by)
    return checkpoint


def deploy(checkpoint: Checkpoint, wanted: Mapping[str, float], by: events.Who = None) -> None:
    """From now on `checkpoint` reads, and assertions count above `wanted` (empty: its own thresholds).

    Its earlier readings of posts' present versions count at once, the other posts are read by and by; until then
    their present readings stand.
    """
    with transaction.atomic():
        active = Deployment.objects.select_for_update().filter(active=True).first()
        if active is None or active.checkpoint_id != checkpoint.pk:
            _replace(active, checkpoint, thresholds.checked(wanted), by)
        elif active.thresholds != wanted:
            thresholds.set_in_force(wanted, by)
    recorder.adopt(checkpoint)
    reading.ensure_readings(checkpoint)


def _replace(active: Deployment | None, checkpoint: Checkpoint, wanted: thresholds.Thresholds, by: events.Who) -> None:
    before = thresholds.in_force()
    if active is not None:
        Deployment.objects.filter(pk=active.pk).update(active=False)
    Deployment.objects.create(checkpoint=checkpoint, thresholds=wanted)
    reading.drop_others(checkpoint)
    thresholds.mark_between(before, thresholds.in_force())
    events.note(by, "checkpoint deployed", checkpoint.digest, active.checkpoint.digest if active else None)


def _wanted(checkpoint: Checkpoint) -> thresholds.Thresholds:
    """THRESHOLD's where it is set: a bare number is everybody's, names alone change only theirs. Else what an earlier
    command put in force for this checkpoint stays."""
    named: thresholds.Thresholds = dict(settings.THRESHOLD)
    if thresholds.DEFAULT in named:
        return named
    if named:
        return {**checkpoint.thresholds, **named}
    active = Deployment.objects.filter(active=True, checkpoint=checkpoint).first()
    return dict(active.thresholds) if active else {}
