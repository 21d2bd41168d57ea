"""The mentions of one reading, restored as they were extracted and corrected again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Q

from extraction.models import Reading
from knowledge.entities import partings
from knowledge.models import Assertion, Mention, MentionCorrection
from knowledge.recording.quotes import find

Span = tuple[int, int]


class CorrectedReading:
    """`entities`: those of all mentions that were or are corrected."""

    def __init__(self, reading: Reading, parted: Mapping[int, int]) -> None:
        self._reading, self._parted = reading, parted
        self._text = reading.version.text
        self._rows = Mention.everything.filter(reading=reading)
        self._moved: set[int] = set()
        self.entities: set[int] = set()

    def restore(self) -> None:
        """Every mention as it was extracted."""
        corrected = Q(made_by__isnull=False) | Q(changed_by__isnull=False) | Q(removed_by__isnull=False)
        rows = list(self._rows.filter(corrected).order_by("pk"))
        self.entities |= {row.entity_id for row in rows}
        self._rows.filter(made_by__isnull=False).delete()
        changed = [row for row in rows if row.made_by_id is None and row.as_read is not None]
        # All of them first out of the way: one may stand where another was.
        self._rows.filter(pk__in=[row.pk for row in changed]).update(removed_by=F("changed_by"))
        for row in changed:
            columns = dict(row.as_read or {})
            base = columns.pop("entity")
            self._write(row.pk, **columns, base=base, changed_by=None, as_read=None)
            self.entities.add(base)
        self._rows.filter(removed_by__isnull=False).update(removed_by=None)

    def apply(self, given: MentionCorrection) -> None:
        """One active correction, at the place of its words."""
        target = self._place(given.target)
        result = self._place(given.result)
        found = self._at(target, given.target_type) if target else None
        lost = (target is None and found is None) if given.result is None else result is None
        if given.lost != lost:
            MentionCorrection.objects.filter(pk=given.pk).update(lost=lost)
        if given.result is None:
            if found is not None:
                self._remove(found, given)
        elif result is not None:
            self._make(given, result, found)

    def finish(self) -> set[int]:
        """Hide the assertions of deleted mentions, show the others; the ids of mentions whose assertions may have
        changed."""
        mentions = Q(head_mention__removed_by__isnull=False) | Q(tail_mention__removed_by__isnull=False)
        rows = Assertion.everything.filter(reading=self._reading)
        hidden = set(rows.filter(mentions).values_list("pk", flat=True))
        changed = set(rows.filter(removed=True).values_list("pk", flat=True)) ^ hidden
        rows.filter(pk__in=hidden).update(removed=True)
        rows.exclude(pk__in=hidden).filter(removed=True).update(removed=False)
        ends = rows.filter(pk__in=changed).values_list("head_mention", "tail_mention")
        return self._moved | {end for pair in ends for end in pair}

    def _place(self, quote: dict[str, Any] | None) -> Span | None:
        start = find(self._text, quote) if quote else None
        return None if start is None or quote is None else (start, start + len(quote["exact"]))

    def _at(self, span: Span, entity_type: str) -> Mention | None:
        """The mention at a place, rather one of this type, that no other correction has made or changed."""
        rows = self._visible(span).filter(made_by__isnull=True, changed_by__isnull=True).order_by("pk")
        return min(rows, key=lambda row: row.type != entity_type, default=None)

    def _visible(self, span: Span) -> Any:
        return self._rows.filter(removed_by__isnull=True, start=span[0], end=span[1])

    def _remove(self, row: Mention, given: MentionCorrection) -> None:
        self._moved.add(row.pk)
        self.entities.add(row.entity_id)
        self._rows.filter(pk=row.pk).update(removed_by=given)

    def _make(self, given: MentionCorrection, span: Span, found: Mention | None) -> None:
        """The mention as the editor gave it: the extracted one changed, or where there is none a new one."""
        base = given.entity_id
        assert base is not None
        same = self._visible(span).filter(type=given.type).first()
        if same is not None and found is not None and same.pk != found.pk:
            self._remove(found, given)
        row = same or found
        place: dict[str, Any] = {"start": span[0], "end": span[1], "type": given.type}
        if row is None:
            made = Mention(reading=self._reading, entity_id=base, score=1.0, made_by=given, **place)
            made.save()
            self._write(made.pk, base=base)
        elif row.made_by_id is None and row.as_read is None:
            was = {"entity": row.resolved_id or row.entity_id, "start": row.start, "end": row.end, "type": row.type}
            self.entities.add(row.entity_id)
            self._write(row.pk, base=base, changed_by=given, as_read=was, **place)
        else:
            self._write(row.pk, base=base)

    def _write(self, pk: int, base: int, **columns: Any) -> None:
        """Put columns into a mention of this entity, or of what the post's splits make of it."""
        now = partings.follow(self._parted, base)
        self._rows.filter(pk=pk).update(entity=now, resolved=None if now == base else base, **columns)
        self._moved.add(pk)
        self.entities.add(now)
