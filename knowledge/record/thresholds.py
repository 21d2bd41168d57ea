"""The thresholds above which an assertion is active. All processes read them from the active deployment.

Assertions are recorded above a lower floor, so a change of thresholds needs no new reading: it marks the graph updates
whose assertions lie between the old and the new one.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection, transaction
from django.db.models import Case, FloatField, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from extraction.labels import REGION_RELATIONS, RELATIONS
from extraction.models import Deployment, Post
from knowledge.models import Assertion, Depiction, Entity, Statement
from knowledge.record import audit_log, projection_queue

DEFAULT = "default"
DEPICTS = "depicts"
Thresholds = dict[str, float]
_UNDEPLOYED: Thresholds = {DEFAULT: 0.5}


def active() -> Thresholds:
    """A number for "default" and for each relation that has its own. Before any deployment: 0.5."""
    deployment = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    if deployment is None:
        return dict(_UNDEPLOYED)
    return filled(deployment.thresholds or deployment.checkpoint.thresholds)


def filled(thresholds: Mapping[str, float]) -> Thresholds:
    """With the default of an installation without a deployment where they have none."""
    return _UNDEPLOYED | dict(thresholds)


def hold() -> None:
    """Lock the active thresholds until the caller's transaction ends.

    A transaction that marks only active assertions begins with this: else a change of thresholds could miss its rows.
    Several may hold at once. On SQLite transactions take turns anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # The table and not a row: the next deployment is another row.
            cursor.execute("LOCK TABLE extraction_deployment IN SHARE MODE")


def checked(thresholds: Mapping[str, float]) -> Thresholds:
    """Raises ValueError, with a sentence, for a relation that does not exist or a number outside 0..1."""
    for key, value in thresholds.items():
        if key not in (DEFAULT, *RELATIONS, *REGION_RELATIONS):
            raise ValueError(f"There is no relation {key!r}; docs/labels.md lists them, and 'default' stands for all.")
        if not 0 <= value <= 1:
            raise ValueError(f"The threshold of {key} is {value}; it takes a number from 0 to 1.")
    return dict(thresholds)


def of(thresholds: Mapping[str, float], key: str) -> float:
    """The threshold of one relation."""
    return thresholds.get(key, thresholds[DEFAULT])


def reached(thresholds: Mapping[str, float] | None = None) -> Q:
    """The condition on an Assertion that its score is at least its relation's threshold."""
    return Q(score__gte=_of_relation(thresholds or active()))


def set_active(thresholds: Mapping[str, float], by: audit_log.Who = None) -> None:
    """Activate thresholds (none: the checkpoint's own) and mark what they change. Raises ValueError."""
    with transaction.atomic():
        deployment = Deployment.objects.select_for_update().filter(active=True).first()
        if deployment is None:
            raise ValueError("No checkpoint is deployed yet, so there is nothing that a threshold could apply to.")
        before = active()
        deployment.thresholds = checked(thresholds)
        deployment.save(update_fields=["thresholds"])
        after = active()
        if before != after:
            mark_between(before, after)
            audit_log.note(by, "thresholds set", str(deployment.pk), before, after)


def mark_between(before: Mapping[str, float], after: Mapping[str, float]) -> None:
    """Mark the graph updates of assertions that are active under one set of thresholds and not under the other."""
    shown_then, shown_now = reached(before), reached(after)
    changed = Assertion.everything.filter((shown_then & ~shown_now) | (shown_now & ~shown_then))
    changed = changed.filter(reading__current_of__isnull=False)
    posts = Q(pk__in=changed.values("reading__current_of")) | Q(pk__in=_shown_between(before, after))
    projection_queue.mark_rows(projection_queue.Kind.POST, Post.objects.filter(posts))
    statements = Statement.objects.filter(pk__in=changed.values("statement"))
    projection_queue.mark_rows(projection_queue.Kind.STATEMENT, statements)
    ends = Q(pk__in=statements.values("head")) | Q(pk__in=statements.values("tail"))
    projection_queue.mark_rows(
        projection_queue.Kind.ENTITY, projection_queue.with_survivors(Entity.objects.filter(ends))
    )


def _shown_between(before: Mapping[str, float], after: Mapping[str, float]) -> QuerySet[Depiction, int]:
    """The ids of posts with a depiction that is active under one set of thresholds and not under the other."""
    low, high = sorted(of(each, DEPICTS) for each in (before, after))
    changed = Depiction.objects.filter(score__gte=low, score__lt=high, reading__current_of__isnull=False)
    return changed.values_list("reading__current_of", flat=True)


def _of_relation(thresholds: Mapping[str, float]) -> Combinable:
    own = [When(relation=key, then=Value(value)) for key, value in sorted(thresholds.items()) if key != DEFAULT]
    default = Value(float(thresholds[DEFAULT]))
    return Case(*own, default=default, output_field=FloatField()) if own else default + Value(0.0)
