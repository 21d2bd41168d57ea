"""Deploys and promotes checkpoints: which one analyses posts, and which posts it analyses again."""

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

NAMED = 8  # labels in a message


class ForeignLabels(ValueError):
    """A checkpoint's labels are not those of the ontology, so its readings could not be recorded."""


@dataclass(frozen=True, slots=True)
class Again:
    """Which posts with a reading a newly deployed checkpoint analyses again: with `since`, those published then
    or later."""

    any: bool = True
    since: datetime | None = None


ALL, NONE = Again(), Again(any=False)


def deploy_folder(folder: Path, by: audit_log.Who = None) -> Checkpoint:
    """Registers the checkpoint in a folder and deploys it with the settings' thresholds, unless it is deployed already.

    Raises NoCheckpoint, or ValueError for a threshold of an unknown relation.
    """
    checkpoint = model_registry.register(folder)
    deploy(checkpoint, _wanted(checkpoint), by)
    return checkpoint


def promote(checkpoint: Checkpoint, again: Again = ALL, by: audit_log.Who = None, account: str = "") -> None:
    """Promotes a checkpoint that a person chose; it stays deployed over restarts.

    `account`: of the operating system, where a command was given without naming a user. Promoting again changes
    nothing, so an interrupted promotion can be repeated.
    """
    deploy(checkpoint, _wanted(checkpoint), by, again=again, promoted=True, account=account)


def start(by: audit_log.Who = None) -> str:
    """Deploys the setting's checkpoint at a start of the product, unless a promoted one stands; returns a notice or "".

    A promotion stands until CHECKPOINT is set to another checkpoint than the one that the promotion took over from.
    Raises NoCheckpoint, or ValueError for a threshold of an unknown relation.
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
    chosen: Mapping[str, float],
    by: audit_log.Who = None,
    *,
    again: Again = ALL,
    promoted: bool = False,
    account: str = "",
) -> None:
    """Makes `checkpoint` analyse posts, with the thresholds `wanted` (empty: its own).

    Its earlier readings of current post versions become current at once; the other posts that `again` selects are
    analysed gradually, and keep their current readings until then. Raises ForeignLabels.
    """
    with transaction.atomic():
        active = Deployment.objects.select_for_update().filter(active=True).first()
        if active is None or active.checkpoint_id != checkpoint.pk:
            check_labels(checkpoint)
            new = Deployment(checkpoint=checkpoint, thresholds=thresholds.checked(chosen), promoted=promoted)
            _replace(active, new, by, account)
        else:
            Deployment.objects.filter(pk=active.pk).update(promoted=active.promoted or promoted)
            if active.thresholds != chosen:
                thresholds.set_active(chosen, by)
    recorder.adopt(checkpoint)
    reading_requests.request_missing(checkpoint, again=again.any, since=again.since)


def check_labels(checkpoint: Checkpoint) -> None:
    """Raises ForeignLabels if the ontology lacks one of its labels. Missing files are not this check's concern."""
    try:
        unknown = model_registry.unknown_labels(Path(checkpoint.path))
    except model_registry.NoCheckpoint:
        return
    if unknown:
        named = ", ".join(unknown[:NAMED]) + (f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else "")
        raise ForeignLabels(
            f"The checkpoint {checkpoint} has labels that are not in the ontology: {named}. Its readings could not be "
            "recorded. Train it with the labels mapped to the ontology (Labels: mapped)."
        )


def thresholds_of(checkpoint: Checkpoint) -> thresholds.Thresholds:
    """The thresholds that would be active with this checkpoint in production."""
    return thresholds.filled(_wanted(checkpoint) or checkpoint.thresholds)


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
    """The thresholds of THRESHOLD where it is set: a bare number is for all relations, names change only theirs. Else
    those that an earlier command set for this checkpoint stay."""
    named: thresholds.Thresholds = dict(settings.THRESHOLD)
    if thresholds.DEFAULT in named:
        return named
    if named:
        return {**checkpoint.thresholds, **named}
    active = Deployment.objects.filter(active=True, checkpoint=checkpoint).first()
    return dict(active.thresholds) if active else {}
