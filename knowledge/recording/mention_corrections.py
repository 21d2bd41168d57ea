"""Editors' corrections of mentions: adding, changing and deleting them, and their effect on each reading of a post.

A correction belongs to the post. `settle` writes what the active ones make into the post's current reading, whichever
that is: it first restores the rows as they were extracted, then applies each correction at the place of its words. So
an edit, another checkpoint, or an undo in any order leads to the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from extraction.labels import ENTITY_TYPES
from extraction.models import Post
from knowledge.entities import names, partings
from knowledge.linking import link_queue
from knowledge.models import Entity, EntityName, Mention, MentionCorrection, Statement
from knowledge.ontology import values
from knowledge.record import audit_log, outcomes, projection_queue, thresholds
from knowledge.recording import verdict_ends
from knowledge.recording.correction_rows import CorrectedReading
from knowledge.recording.quotes import quote_of
from knowledge.recording.resolution import NAMED
from knowledge.recording.splits import restate


class ImpossibleMention(ValueError):
    """A mention that cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class MarkedWords:
    """A span of a post's text as an editor marks it. `entity`: what it means; where that is None, what it meant before
    or what its name leads to, and with `by_name` the latter."""

    start: int
    end: int
    type: str
    entity: Entity | None = None
    by_name: bool = False


@dataclass(slots=True)
class Touched:
    """The ids of what a correction changed: posts, statements and entities whose graph updates are to be marked."""

    posts: set[int] = field(default_factory=set)
    statements: set[int] = field(default_factory=set)
    entities: set[int] = field(default_factory=set)

    def __ior__(self, other: Touched) -> Touched:
        self.posts |= other.posts
        self.statements |= other.statements
        self.entities |= other.entities
        return self


def add(post: Post, marked: MarkedWords, by: audit_log.Who, note: str = "") -> MentionCorrection:
    """Mark words of the post's analysed text as a mention. Raises ImpossibleMention."""
    with transaction.atomic():
        locked = _locked(post)
        text = _text(locked)
        _check(marked, text)
        spans = Mention.objects.filter(reading=locked.current_reading_id, start=marked.start, end=marked.end)
        if same := spans.filter(type=marked.type).first():
            return _change(locked, same, marked, by, note)
        entity = marked.entity or _named(locked, text[marked.start : marked.end], marked.type)
        quote = quote_of(text, marked.start, marked.end)
        return _record(locked, by, note, result=quote, type=marked.type, entity=entity)


def change(mention: Mention, marked: MarkedWords, by: audit_log.Who, note: str = "") -> MentionCorrection:
    """Change the span, the type or the entity of a mention of a post's current reading. Raises ImpossibleMention."""
    with transaction.atomic():
        post = _locked(mention.reading.version.post)
        _check(marked, _text(post))
        return _change(post, mention, marked, by, note)


def delete(mention: Mention, by: audit_log.Who, note: str = "") -> MentionCorrection:
    """Delete a mention of a post's current reading, with what the reading states of it."""
    with transaction.atomic():
        post = _locked(mention.reading.version.post)
        return _replace(post, mention, by, note, result=None, type="", entity=None)


def withdraw(given: MentionCorrection, by: audit_log.Who) -> None:
    """Undo a correction; the editor's earlier one of the same mention is active again. Undone already: nothing."""
    with transaction.atomic():
        post = _locked(given.post)
        if not _withdraw(given):
            return
        if given.superseded_id is not None:
            MentionCorrection.objects.filter(pk=given.superseded_id).update(withdrawn_at=None)
        _settle_and_mark(post)
        audit_log.note(by, "correction undone", str(post.public_id), given.kind, str(given.public_id))


def settle(posts: Iterable[int]) -> Touched:
    """Write the active corrections of these posts into their current readings, and let assertions and verdicts follow.

    Inside a transaction that holds the posts' rows and the active thresholds; the caller marks the graph updates.
    """
    corrected = set(MentionCorrection.objects.filter(post__in=list(posts)).values_list("post", flat=True).distinct())
    touched = Touched(posts=corrected)
    if not corrected:
        return touched
    parted = partings.of_posts(corrected)
    moved: set[int] = set()
    for post in Post.objects.filter(pk__in=corrected).select_related("current_reading__version").order_by("pk"):
        if post.current_reading is not None:
            held = post.mention_corrections.filter(withdrawn_at__isnull=True).order_by("pk")
            reading = CorrectedReading(post.current_reading, parted[post.pk])
            reading.restore()
            for given in held:
                reading.apply(given)
            moved |= reading.finish()
            touched.entities |= reading.entities
    touched.statements |= restate(moved) | verdict_ends.settle(corrected)
    touched.entities |= verdict_ends.entities_of(touched.statements)
    outcomes.settle(corrected)
    return touched


def release(readings: Iterable[int]) -> Touched:
    """Restore readings that are no longer current as they were extracted; what that touched."""
    touched = Touched()
    rows = Mention.everything.filter(reading__in=list(readings)).exclude(
        made_by__isnull=True, changed_by__isnull=True, removed_by__isnull=True
    )
    moved: set[int] = set()
    for reading in {row.reading for row in rows.select_related("reading__version__post")}:
        parted = partings.of_posts([reading.version.post_id])
        restored = CorrectedReading(reading, parted[reading.version.post_id])
        restored.restore()
        moved |= restored.finish()
        touched.entities |= restored.entities
    touched.statements |= restate(moved)
    return touched


def _change(post: Post, mention: Mention, marked: MarkedWords, by: audit_log.Who, note: str) -> MentionCorrection:
    text = _text(post)
    entity = marked.entity or _meant(post, mention, marked, text)
    quote = quote_of(text, marked.start, marked.end)
    return _replace(post, mention, by, note, result=quote, type=marked.type, entity=entity)


def _meant(post: Post, mention: Mention, marked: MarkedWords, text: str) -> Entity:
    """The entity of a changed mention where the editor chose none. A name of its entity's type takes the entity's name
    along to the new type; other words stay with what they refer to."""
    was = mention.resolved or mention.entity
    entity = was.canonical or was
    if marked.by_name:
        return _named(post, text[marked.start : marked.end], marked.type)
    if mention.form == "name" and marked.type != mention.type and mention.type == entity.type:
        same_words = (marked.start, marked.end) == (mention.start, mention.end)
        return _named(post, entity.label if same_words else text[marked.start : marked.end], marked.type)
    if mention.form == "name" and (marked.start, marked.end) != (mention.start, mention.end):
        own = names.name_key(text[mention.start : mention.end]) == names.name_key(entity.label)
        return _named(post, text[marked.start : marked.end], marked.type) if own else was
    return was


def _named(post: Post, words: str, entity_type: str) -> Entity:
    """The entity that a name leads to, created where there is none: as recording resolves a name by itself."""
    name = names.shown(words)
    proper = names.is_proper(name) if entity_type == "event" else names.has_capital(name)
    scoped = entity_type in {*values.VALUE_TYPES, "role"} or (entity_type in {*NAMED, "event"} and not proper)
    key = names.resolution_key(name, entity_type)
    key = names.scoped_key(name, entity_type, f"post:{post.public_id}") if scoped else key
    entity, new = Entity.objects.get_or_create(key=key, defaults={"type": entity_type, "label": name})
    if new:
        EntityName.objects.create(entity=entity, name=name, key=names.name_key(name), source="editor")
        if not scoped:
            link_queue.due([entity.pk])
    return entity


def _replace(post: Post, mention: Mention, by: audit_log.Who, note: str, **columns: object) -> MentionCorrection:
    """Record a change of a mention. An earlier correction of it is withdrawn: this one is of what was extracted."""
    earlier = mention.made_by or mention.changed_by
    if earlier is None:
        quote = quote_of(_text(post), mention.start, mention.end)
        return _record(post, by, note, target=quote, target_type=mention.type, **columns)
    _withdraw(earlier)
    target = {"target": earlier.target, "target_type": earlier.target_type}
    return _record(post, by, note, superseded=earlier, **target, **columns)


def _record(post: Post, by: audit_log.Who, note: str, **columns: object) -> MentionCorrection:
    created = MentionCorrection.objects.create(post=post, by_id=by.pk if by else None, note=note, **columns)
    _settle_and_mark(post)
    created.refresh_from_db()
    entity = created.entity.public_id if created.entity else None
    audit_log.note(by, created.kind, str(post.public_id), created.target_type or None, [created.type, str(entity)])
    return created


def _withdraw(given: MentionCorrection) -> bool:
    held = MentionCorrection.objects.filter(pk=given.pk, withdrawn_at__isnull=True)
    return bool(held.update(withdrawn_at=timezone.now()))


def _settle_and_mark(post: Post) -> None:
    thresholds.hold()
    mark(settle([post.pk]))


def mark(touched: Touched) -> None:
    projection_queue.mark_rows(projection_queue.Kind.POST, Post.objects.filter(pk__in=touched.posts))
    projection_queue.mark_rows(projection_queue.Kind.STATEMENT, Statement.objects.filter(pk__in=touched.statements))
    rows = projection_queue.with_survivors(Entity.objects.filter(pk__in=touched.entities))
    projection_queue.mark_rows(projection_queue.Kind.ENTITY, rows)


def _check(marked: MarkedWords, text: str) -> None:
    if not 0 <= marked.start < marked.end <= len(text) or not names.shown(text[marked.start : marked.end]):
        raise ImpossibleMention("Select at least one word of the text. If the post was edited, reload the page first.")
    if marked.type not in ENTITY_TYPES:
        raise ImpossibleMention(f"There is no entity type {marked.type!r}.")
    if "\n\n" in text[marked.start : marked.end]:
        raise ImpossibleMention("A mention lies within one paragraph.")


def _locked(post: Post) -> Post:
    return Post.objects.select_for_update(no_key=True).get(pk=post.pk)


def _text(post: Post) -> str:
    return post.current_reading.version.text if post.current_reading else ""
