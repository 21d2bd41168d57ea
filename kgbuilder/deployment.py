"""Puts a checkpoint in force: which one reads, what it has read already, what it has yet to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from extraction.models import Checkpoint, Deployment, Reading
from extraction.readings import model_registry, reading_requests
from knowledge.record import audit_log, thresholds
from knowledge.recording import recorder


@dataclass(frozen=True, slots=True)
class Again:
    """Which posts that were read before a newly deployed checkpoint reads again: with `since`, those published then
    or later."""

    any: bool = True
    since: datetime | None = None


ALL, NONE = Again(), Again(any=False)


def deploy_folder(folder: Path, by: audit_log.Who = None) -> Checkpoint:
    """Registers the checkpoint in a folder and puts it in force as the settings say; nothing changes where it is.

    Raises registry.NoCheckpoint, or ValueError for a threshold of an unknown relation.
    """
    checkpoint = model_registry.register(folder)
    deploy(checkpoint, _wanted(checkpoint), by)
    return checkpoint


def promote(checkpoint: Checkpoint, again: Again = ALL, by: audit_log.Who = None, account: str = "") -> None:
    """Puts a checkpoint in force because somebody chose it; it stays in force over restarts.

    `account`: of the operating system, where a command was given without naming a user. Doing it again changes nothing,
    so a promotion that died halfway can be done over.
    """
    deploy(checkpoint, _wanted(checkpoint), by, again=again, promoted=True, account=account)


def start(by: audit_log.Who = None) -> str:
    """At a start of the product: deploys the setting's checkpoint, unless a promoted one stands; what to tell people.

    A promotion stands until CHECKPOINT is set to another checkpoint than the one that the promotion took over from.
    Raises registry.NoCheckpoint, or ValueError for a threshold of an unknown relation.
    """
    active = Deployment.objects.filter(active=True, promoted=True).select_related("checkpoint").first()
    if active is None or not _promotion_stands(active):
        deploy_folder(settings.CHECKPOINT, by)
        return ""
    deploy(active.checkpoint, _wanted(active.checkpoint), by, again=NONE, promoted=True)
    return f"Posts are analysed by the checkpoint {active.checkpoint}, which was promoted."


def _promotion_stands(active: Deployment) -> bool:
    if not settings.ENV["CHECKPOINT"]:
        return True
    before = Deployment.objects.filter(promoted=False, pk__lt=active.pk).order_by("-pk").first()
    return before is not None and model_registry.digest(settings.CHECKPOINT) == before.checkpoint.digest


def deploy(
    checkpoint: Checkpoint,
    wanted: Mapping[str, float],
    by: audit_log.Who = None,
    *,
    again: Again = ALL,
    promoted: bool = False,
    account: str = "",
) -> None:
    """From now on `checkpoint` reads, and assertions count above `wanted` (empty: its own thresholds).

    Its earlier readings of posts' present versions count at once, the other posts that `again` says are read by and
    by; until then their present readings stand.
    """
    with transaction.atomic():
        active = Deployment.objects.select_for_update().filter(active=True).first()
        if active is None or active.checkpoint_id != checkpoint.pk:
            new = Deployment(checkpoint=checkpoint, thresholds=thresholds.checked(wanted), promoted=promoted)
            _replace(active, new, by, account)
        else:
            Deployment.objects.filter(pk=active.pk).update(promoted=active.promoted or promoted)
            if active.thresholds != wanted:
                thresholds.set_active(wanted, by)
    recorder.adopt(checkpoint)
    reading_requests.request_missing(checkpoint, again=again.any, since=again.since)


def _replace(active: Deployment | None, new: Deployment, by: audit_log.Who, account: str = "") -> None:
    before = thresholds.active()
    if active is not None:
        Deployment.objects.filter(pk=active.pk).update(active=False)
    new.save()
    reading_requests.supersede(Reading.objects.exclude(checkpoint=new.checkpoint))
    thresholds.mark_between(before, thresholds.active())
    what = "checkpoint promoted" if new.promoted else "checkpoint deployed"
    after = {"account": account} if account else None
    audit_log.note(by, what, new.checkpoint.digest, active.checkpoint.digest if active else None, after)


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
