"""What editors have decided, in figures: by day and editor, how often they agree, the precision of each relation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F
from django.db.models.fields.json import KT
from django.db.models.functions import TruncDate, TruncMonth

from knowledge.models import MentionCorrection, Review
from knowledge.record import current

DAYS = 30
MONTHS = 12


@dataclass(frozen=True, slots=True)
class DayOfReviews:
    """The verdicts and corrections that an editor gave on one day, those that were undone too."""

    day: date
    editor: str
    accepted: int
    rejected: int
    corrected: int

    @property
    def total(self) -> int:
        return self.accepted + self.rejected + self.corrected


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the statements in posts that several editors judged, on how many all agree."""

    judged: int
    agreed: int


@dataclass(frozen=True, slots=True)
class RelationPrecision:
    """Of what was extracted of a relation and judged in one month: how much was right as it was extracted."""

    relation: str
    month: date
    right: int
    judged: int

    @property
    def precision(self) -> float:
        return self.right / self.judged


def by_day(now: datetime, days: int = DAYS) -> list[DayOfReviews]:
    """The latest day first. The two verdicts of one correction count once, as a correction."""
    since = now - timedelta(days=days)
    counts: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    rows = Review.objects.filter(at__gte=since, replaced_by__isnull=True)
    grouped = rows.annotate(day=TruncDate("at"), act=KT("quintuple__act")).values_list(
        "day", "by__username", "verdict", "act"
    )
    for day, editor, verdict, act, count in grouped.annotate(n=Count("pk")).order_by():
        place = 2 if act else 0 if verdict == Review.Verdict.ACCEPT else 1
        counts[day, editor or "a former account"][place] += count
    corrections = MentionCorrection.objects.filter(at__gte=since).annotate(day=TruncDate("at"))
    for day, editor, count in corrections.values_list("day", "by__username").annotate(n=Count("pk")).order_by():
        counts[day, editor or "a former account"][2] += count
    found = [DayOfReviews(day, editor, *three) for (day, editor), three in counts.items()]
    return sorted(found, key=lambda one: (-one.day.toordinal(), one.editor))


def agreement() -> Agreement:
    groups = current.active_reviews().values("post", "statement").order_by()
    several = groups.annotate(editors=Count("by", distinct=True), verdicts=Count("verdict", distinct=True))
    several = several.filter(editors__gt=1)
    return Agreement(several.count(), several.filter(verdicts=1).count())


def precision(now: datetime, months: int = MONTHS) -> list[RelationPrecision]:
    """By relation, the latest month first. Of each statement in a post the verdict that decides counts; what was
    corrected was not right as it was extracted, what an editor added was not extracted."""
    since = now - timedelta(days=31 * months)
    # The claim of a correction is the editor's; the verdict on what was extracted is counted by itself.
    decided = current.active_reviews().filter(outcome=Review.Outcome.DECIDES, at__gte=since, replaces__isnull=True)
    rows = decided.annotate(month=TruncMonth("at"), act=KT("quintuple__act"), relation=F("statement__relation"))
    counts: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    grouped = rows.values_list("relation", "month", "verdict", "act", "own")
    for relation, month, verdict, act, own, count in grouped.annotate(n=Count("pk")).order_by():
        if act == "added":
            continue
        counts[relation, month.date()][0] += count if verdict == Review.Verdict.ACCEPT and not own else 0
        counts[relation, month.date()][1] += count
    found = [RelationPrecision(relation, month, *two) for (relation, month), two in counts.items()]
    return sorted(found, key=lambda one: (one.relation, -one.month.toordinal()))
