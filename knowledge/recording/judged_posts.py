"""What editors have judged in each post, as rows of the data set "labels" (`extraction/datasets/reviewed.py`).

Right are the statements of accepting verdicts that decide, with their own qualifiers, and the mentions at their ends;
mentions that a correction has made or changed. Wrong are the statements of rejecting verdicts that decide, and mentions
as they were before a correction deleted them or changed their words or type. Nothing else is in the rows, but for
mentions that a row needs as an end, a claimant, a time or an amount: these are `unjudged`.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.models import Post, Reading
from knowledge.models import Mention, MentionCorrection, Review
from knowledge.record import current
from knowledge.recording.quotes import find

Row = dict[str, Any]
Span = tuple[int, int]


def rows() -> Iterator[Row]:
    """One row for each live post in which something is judged, in the order of the posts' ids."""
    reviewed = _deciding().values_list("post", flat=True)
    corrected = MentionCorrection.objects.filter(withdrawn_at__isnull=True, lost=False).values_list("post", flat=True)
    for post in sorted({*reviewed, *corrected}):
        if (row := _row(post)) is not None:
            yield row


def forget(posts: Container[str]) -> None:
    """Deletes posts, by their public ids, from every version of the labels: their texts are in them."""
    for path in sorted((Path(settings.DATA_DIR) / "labels").glob("*/*.jsonl")):
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
        kept = [line + "\n" for line in lines if json.loads(line)["id"] not in posts]
        if len(kept) < len(lines):
            draft = path.with_suffix(".draft")
            draft.write_text("".join(kept), encoding="utf-8")
            draft.replace(path)


def _deciding() -> Any:
    return current.active_reviews().filter(outcome=Review.Outcome.DECIDES, lost=False)


def _row(pk: int) -> Row | None:
    """Under the post's lock, so that no verdict, correction or reading changes it between two queries."""
    with transaction.atomic():
        # Locked by itself: outer joins cannot be.
        if not Post.objects.select_for_update(no_key=True).filter(pk=pk, state=Post.State.LIVE).exists():
            return None
        post = Post.objects.select_related("current_reading__version").get(pk=pk)
        reading = post.current_reading
        if reading is None or reading.version.pruned_at is not None:
            return None
        made = _JudgedPost(reading)
        made.add_corrections()
        for given in _deciding().filter(post=pk).select_related("statement").order_by("pk"):
            made.add_verdict(given)
        return made.row(post)


@dataclass(slots=True)
class _Marked:
    """A mention of a row: its place, type and form, and the entity that it means, by its id or its place."""

    span: Span
    type: str
    form: str
    entity: object
    judged: bool


@dataclass(slots=True)
class _JudgedPost:
    reading: Reading
    text: str = ""
    mentions: dict[Span, _Marked] = field(default_factory=dict)
    wrong_mentions: dict[tuple[int, int, str], None] = field(default_factory=dict)
    relations: list[Row] = field(default_factory=list)
    wrong_relations: list[Row] = field(default_factory=list)
    extracted: list[Mention] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = self.reading.version.text
        rows = Mention.objects.filter(reading=self.reading).select_related("entity").order_by("score", "pk")
        self.extracted = list(rows)

    def add_corrections(self) -> None:
        for row in self.extracted:
            if row.made_by_id is not None or row.changed_by_id is not None:
                self.mentions[row.start, row.end] = self._marked(row, judged=True)
                before = row.as_read or {}
                if before and (before["start"], before["end"], before["type"]) != (row.start, row.end, row.type):
                    self.wrong_mentions[before["start"], before["end"], before["type"]] = None
        for row in Mention.everything.filter(reading=self.reading, removed_by__isnull=False).order_by("pk"):
            self.wrong_mentions[row.start, row.end, row.type] = None

    def add_verdict(self, given: Review) -> None:
        """Leaves out a verdict on words that are gone or that a correction says to be no mention."""
        accepted = given.verdict == Review.Verdict.ACCEPT
        relation = given.quintuple["relation"]
        ends = [self._end(given, name, accepted) for name in ("head", "tail")]
        head, tail = ends
        if head is None or tail is None or head.span == tail.span or relation not in RELATIONS:
            return
        for one in (head, tail):
            self.mentions[one.span] = one
        if not accepted:
            self.wrong_relations.append({"head": head.span, "relation": relation, "tail": tail.span})
            return
        self.relations.append(
            {
                "head": head.span,
                "relation": relation,
                "tail": tail.span,
                "factuality": given.factuality,
                "by": self._claimant(given, head.span[0]),
                "when": self._words(given.when_words, "time", head.span[0]),
                "amount": self._words(given.amount_words, "number", head.span[0]),
            }
        )

    def _end(self, given: Review, name: str, accepted: bool) -> _Marked | None:
        quote, entity_type = given.quotes[name], given.quintuple[f"{name}_type"]
        start = find(self.text, quote)
        if start is None or entity_type not in ENTITY_TYPES:
            return None
        span = (start, start + len(quote["exact"]))
        held = self.mentions.get(span)
        if held is not None and (held.judged or not accepted):
            return held
        if (*span, entity_type) in self.wrong_mentions:
            return None
        same = next((row for row in self.extracted if (row.start, row.end) == span), None)
        form, entity = (same.form, same.entity_id) if same else ("name", getattr(given.statement, f"{name}_id"))
        return _Marked(span, entity_type, form, entity, judged=accepted)

    def _claimant(self, given: Review, near: int) -> Span | None:
        """The nearest mention of the entity that claims it."""
        if given.claimant_id is None:
            return None
        same = current.members([given.claimant_id])
        rows = [row for row in self.extracted if row.entity_id in same]
        return self._beside(min(rows, key=lambda row: abs(row.start - near), default=None))

    def _words(self, words: str, entity_type: str, near: int) -> Span | None:
        """The nearest mention of these words, or where there is none of that type the nearest place of the words."""
        if not words:
            return None
        rows = [row for row in self.extracted if row.type == entity_type and self.text[row.start : row.end] == words]
        if rows:
            return self._beside(min(rows, key=lambda row: abs(row.start - near)))
        places, start = [], self.text.find(words)
        while start >= 0:
            places.append(start)
            start = self.text.find(words, start + 1)
        if not places:
            return None
        nearest = min(places, key=lambda place: abs(place - near))
        span = (nearest, nearest + len(words))
        self.mentions.setdefault(span, _Marked(span, entity_type, "name", span, judged=False))
        return span

    def _beside(self, row: Mention | None) -> Span | None:
        if row is None:
            return None
        self.mentions.setdefault((row.start, row.end), self._marked(row, judged=False))
        return row.start, row.end

    def _marked(self, row: Mention, judged: bool) -> _Marked:
        return _Marked((row.start, row.end), row.type, row.form, row.entity_id, judged)

    def row(self, post: Post) -> Row | None:
        """None where nothing is left of what was judged."""
        if not (self.mentions or self.wrong_mentions):
            return None
        marked = [self.mentions[span] for span in sorted(self.mentions)]
        index = {one.span: number for number, one in enumerate(marked)}
        named: dict[tuple[object, str], _Marked] = {}
        for one in marked:
            named.setdefault((one.entity, one.type), one)
        ids = {key: f"e{number}" for number, key in enumerate(named, start=1)}
        places = ("head", "tail", "by", "when", "amount")

        def indexed(relation: Row) -> Row:
            return {name: index.get(value) if name in places else value for name, value in relation.items()}

        return {
            "id": str(post.public_id),
            "text": self.text,
            "published": post.published_at.date().isoformat(),
            "entities": [
                {"id": ids[key], "type": one.type, "name": self.text[slice(*one.span)]} for key, one in named.items()
            ],
            "mentions": [
                {"start": one.span[0], "end": one.span[1], "entity": ids[one.entity, one.type], "form": one.form}
                for one in marked
            ],
            "relations": [indexed(one) for one in self.relations],
            "title_end": self.reading.version.title_end,
            "unjudged": [number for number, one in enumerate(marked) if not one.judged],
            "wrong_mentions": [
                {"start": start, "end": end, "type": entity_type} for start, end, entity_type in self.wrong_mentions
            ],
            "wrong_relations": [indexed(one) for one in self.wrong_relations],
        }
