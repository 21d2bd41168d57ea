"""What a reader found becomes rows: first as data (`plan`), then in one transaction (`record`).

Recording twice does nothing the second time: the lease's token is used up, and every row has a unique key. Rows are
inserted in the order of their keys, so that two workers with common entities wait for each other and never in a ring.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.models import Checkpoint, Deployment, Post, Reading
from extraction.schema import Claimed, EvidencePart, Extraction
from knowledge import marking, names, reviews
from knowledge.models import Assertion, Entity, EntityName, Evidence, Mention, Statement

ASSERTIONS = UUID("0a3c7a52-9b5f-5c1e-8d0b-6c6f0a7f4d11")  # the namespace of assertions' ids, the same everywhere


class Unplannable(ValueError):
    """The extraction is not one that a sound checkpoint gives; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PlannedMention:
    start: int
    end: int
    type: str
    score: float
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class PlannedAssertion:
    """Head and tail are indexes into the record's mentions, in the order that was read."""

    public_id: UUID
    head: int
    tail: int
    relation: str
    score: float
    evidence: tuple[EvidencePart, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """All that recording an extraction will write, with nothing looked up yet."""

    mentions: tuple[PlannedMention, ...]
    assertions: tuple[PlannedAssertion, ...]
    language: str


def plan(
    extraction: Extraction, *, post: UUID, ordinal: int, digest: str, inputs: str = "text", floor: float = 0.0
) -> Record:
    """The rows for an extraction of a post's version by a checkpoint. Raises Unplannable.

    A span read twice with one type is one mention, a relation read twice between two mentions one assertion, each with
    the higher score. A relation whose tail is a region of a picture has no statement yet and is left out, as is one
    that scores below `floor`.
    """
    best: dict[tuple[int, int, str], float] = {}
    spans = [(mention.start, mention.end, mention.type) for mention in extraction.mentions]
    for span, mention in zip(spans, extraction.mentions, strict=True):
        _check_mention(extraction, *span, mention.score)
        if names.shown(extraction.text[mention.start : mention.end]):
            best[span] = max(mention.score, best.get(span, 0.0))
    order = sorted(best)
    places = {span: index for index, span in enumerate(order)}
    mentions = tuple(_mention(extraction.text, span, best[span]) for span in order)
    found: dict[tuple[int, int, str], tuple[float, tuple[EvidencePart, ...]]] = {}
    for relation in extraction.relations:
        if not isinstance(relation.tail, int):
            continue
        head, tail = _end(spans, relation.head), _end(spans, relation.tail)
        _check_relation(relation.key, relation.score)
        if relation.score < floor or head == tail or head not in places or tail not in places:
            continue
        cell = (places[head], places[tail], relation.key)
        if relation.score > found.get(cell, (-1.0, ()))[0]:
            found[cell] = (relation.score, relation.evidence)
    reading = f"{post}|{ordinal}|{digest}|{inputs}"
    assertions = tuple(
        PlannedAssertion(_assertion_id(reading, order[head], key, order[tail]), head, tail, key, score, evidence)
        for (head, tail, key), (score, evidence) in sorted(found.items())
    )
    return Record(mentions, assertions, extraction.language)


def record(claimed: Claimed, extraction: Extraction) -> bool:
    """Writes what was read, makes it the post's current reading if it is of its present version by the deployed
    checkpoint, and marks what that touches: one transaction. False: the lease was lost, nothing was written.

    Raises Unplannable before anything is written.
    """
    reading = (
        Reading.objects.filter(pk=claimed.reading_id)
        .select_related("version__post", "checkpoint")
        .only("inputs", "version__ordinal", "version__post__public_id", "checkpoint__digest")
    ).first()
    if reading is None:
        return False
    version = reading.version
    planned = plan(
        extraction,
        post=version.post.public_id,
        ordinal=version.ordinal,
        digest=reading.checkpoint.digest,
        inputs=reading.inputs,
        floor=settings.FLOOR or 0.0,
    )
    with transaction.atomic():
        # The post before the reading, as the visits lock them: a visit and a recording never wait in a ring.
        post = Post.objects.select_for_update(no_key=True).get(pk=version.post_id)
        if not _finish(claimed, extraction):
            return False
        _write(reading, post, planned)
        if post.current_version_id == reading.version_id and _deployed(reading):
            make_current(post, reading)
    return True


def adopt(checkpoint: Checkpoint, chunk: int = 200) -> int:
    """Makes the readings that `checkpoint` already has of posts' present versions their current ones; how many."""
    done = (Reading.Stage.DONE, Reading.Stage.DECLINED)
    waiting = Reading.objects.filter(checkpoint=checkpoint, stage__in=done, version=F("version__post__current_version"))
    waiting = waiting.exclude(pk=F("version__post__current_reading"))
    none_yet = Reading.objects.filter(
        checkpoint=checkpoint, stage__in=done, version__current_of__current_reading__isnull=True
    )
    ids = sorted({*waiting.values_list("pk", flat=True), *none_yet.values_list("pk", flat=True)})
    for start in range(0, len(ids), chunk):
        with transaction.atomic():
            for reading in Reading.objects.filter(pk__in=ids[start : start + chunk]).select_related("version"):
                make_current(Post.objects.select_for_update(no_key=True).get(pk=reading.version.post_id), reading)
    return len(ids)


def make_current(post: Post, reading: Reading) -> None:
    """Points the post at one of its readings, follows its reviews into that text, marks what either reading says.

    Inside a transaction that holds the post's row.
    """
    before = post.current_reading_id
    Post.objects.filter(pk=post.pk).update(current_reading=reading)
    post.current_reading = reading
    touched = [pk for pk in (before, reading.pk) if pk is not None]
    reviewed = reviews.follow(post, reading.version.text)
    marking.mark(marking.Kind.POST, [post.public_id])
    marking.mark(marking.Kind.STATEMENT, _statement_keys(touched, reviewed))
    marking.mark(marking.Kind.ENTITY, _entity_keys(touched, reviewed))


def mark_posts(posts: Iterable[Post]) -> None:
    """See `marking.mark_posts`: for posts that were withdrawn or came back."""
    marking.mark_posts(posts)


def mark_all() -> None:
    marking.mark_all()


def _finish(claimed: Claimed, extraction: Extraction) -> bool:
    """Uses up the lease. No row: it ran out, or an edit dropped the reading."""
    declined = extraction.declined
    held = Reading.objects.filter(pk=claimed.reading_id, lease_token=claimed.token, stage=Reading.Stage.READ)
    changed = held.update(
        stage=Reading.Stage.DECLINED if declined else Reading.Stage.DONE,
        declined_code=declined.code[:30] if declined else "",
        declined_message=declined.message if declined else "",
        missing=list(extraction.missing),
        read_at=timezone.now(),
        lease_token="",
        lease_until=None,
        error="",
        attempts=0,
    )
    return bool(changed)


def _deployed(reading: Reading) -> bool:
    """Another checkpoint's reading is a shadow: kept beside the current one."""
    active = Deployment.objects.filter(active=True).values_list("checkpoint", flat=True).first()
    return active in (None, reading.checkpoint_id)


def _write(reading: Reading, post: Post, planned: Record) -> None:
    entities = _entities(planned)
    mentions = Mention.objects.bulk_create(
        [
            Mention(
                reading=reading,
                entity=entities[mention.key],
                start=mention.start,
                end=mention.end,
                type=mention.type,
                score=mention.score,
            )
            for mention in planned.mentions
        ]
    )
    statements = _statements(planned, mentions)
    assertions = Assertion.objects.bulk_create(
        [
            Assertion(
                public_id=assertion.public_id,
                reading=reading,
                statement_id=statement,
                head_mention=mentions[assertion.head],
                tail_mention=mentions[assertion.tail],
                relation=assertion.relation,
                score=assertion.score,
                asserted_at=post.published_at,
            )
            for assertion, statement in zip(planned.assertions, statements, strict=True)
        ]
    )
    Evidence.objects.bulk_create(
        Evidence(assertion=row, kind=part.kind, reference=part.reference, weight=part.weight)
        for row, assertion in zip(assertions, planned.assertions, strict=True)
        for part in assertion.evidence
    )


def _entities(planned: Record) -> dict[str, Entity]:
    """The entity of each key: made where there is none, its names and its label kept up."""
    spoken: dict[str, set[str]] = defaultdict(set)
    types: dict[str, str] = {}
    for mention in planned.mentions:
        spoken[mention.key].add(mention.name)
        types[mention.key] = mention.type
    found = _by_key(spoken)
    new = [Entity(key=key, type=types[key], label=names.best(spoken[key])) for key in sorted(spoken.keys() - found)]
    if new:
        Entity.objects.bulk_create(new, ignore_conflicts=True)
        found |= _by_key(entity.key for entity in new)
    _keep_names(found, spoken, planned.language)
    return found


def _by_key(keys: Iterable[str]) -> dict[str, Entity]:
    return {entity.key: entity for entity in Entity.objects.filter(key__in=list(keys))}


def _keep_names(entities: dict[str, Entity], spoken: dict[str, set[str]], language: str) -> None:
    rows = EntityName.objects.filter(entity__in=[entity.pk for entity in entities.values()], source="text")
    known = set(rows.values_list("entity", "name", "language"))
    new = [
        EntityName(entity=entities[key], name=name, key=names.name_key(name), language=language, source="text")
        for key in sorted(spoken)
        for name in sorted(spoken[key])
        if (entities[key].pk, name, language) not in known
    ]
    EntityName.objects.bulk_create(new, ignore_conflicts=True)
    for key in sorted({names.resolution_key(row.name, row.entity.type) for row in new} & entities.keys()):
        entity = entities[key]
        label = names.best({entity.label, *spoken[key]})
        if label != entity.label:
            Entity.objects.filter(pk=entity.pk).update(label=label)


def _statements(planned: Record, mentions: list[Mention]) -> list[int]:
    """For each planned assertion the id of its statement, made where there is none."""
    wanted = [
        _ordered(mentions[assertion.head].entity_id, assertion.relation, mentions[assertion.tail].entity_id)
        for assertion in planned.assertions
    ]
    found = _existing(set(wanted))
    new = sorted(set(wanted) - found.keys())
    if new:
        rows = [Statement(head_id=head, relation=relation, tail_id=tail) for head, relation, tail in new]
        Statement.objects.bulk_create(rows, ignore_conflicts=True)
        found |= _existing(set(new))
    return [found[triple] for triple in wanted]


def _existing(triples: set[tuple[int, str, int]]) -> dict[tuple[int, str, int], int]:
    heads, tails = {head for head, _, _ in triples}, {tail for _, _, tail in triples}
    rows = Statement.objects.filter(head__in=heads, tail__in=tails) if triples else Statement.objects.none()
    found = {(row.head_id, row.relation, row.tail_id): row.pk for row in rows}
    return {triple: found[triple] for triple in triples if triple in found}


def _ordered(head: int, relation: str, tail: int) -> tuple[int, str, int]:
    """A symmetric relation has one statement, its ends ordered by id."""
    if RELATIONS[relation].symmetric and tail < head:
        return tail, relation, head
    return head, relation, tail


def _statement_keys(readings: list[int], reviewed: set[int]) -> QuerySet[Statement, UUID]:
    said = Q(assertions__reading__in=readings) | Q(pk__in=reviewed)
    return Statement.objects.filter(said).values_list("public_id", flat=True).distinct()


def _entity_keys(readings: list[int], reviewed: set[int]) -> QuerySet[Entity, UUID]:
    named = Q(pk__in=Mention.objects.filter(reading__in=readings).values("entity"))
    if reviewed:
        ends = Statement.objects.filter(pk__in=reviewed)
        named |= Q(pk__in=ends.values("head")) | Q(pk__in=ends.values("tail"))
    return marking.with_survivors(Entity.objects.filter(named)).values_list("public_id", flat=True)


def _mention(text: str, span: tuple[int, int, str], score: float) -> PlannedMention:
    start, end, entity_type = span
    name = names.shown(text[start:end])
    return PlannedMention(start, end, entity_type, score, name, names.resolution_key(name, entity_type))


def _end(spans: list[tuple[int, int, str]], index: int) -> tuple[int, int, str]:
    if not 0 <= index < len(spans):
        raise Unplannable(f"A relation's end is mention {index}, but there are {len(spans)} mentions.")
    return spans[index]


def _check_mention(extraction: Extraction, start: int, end: int, entity_type: str, score: float) -> None:
    if not 0 <= start < end <= len(extraction.text):
        raise Unplannable(f"A mention spans {start}-{end} in a text of {len(extraction.text)} characters.")
    if entity_type not in ENTITY_TYPES:
        raise Unplannable(f"A mention has the type {entity_type!r}, which this version does not know.")
    _check_score(score)


def _check_relation(key: str, score: float) -> None:
    if key not in RELATIONS:
        raise Unplannable(f"A relation is called {key!r}, which this version does not know.")
    _check_score(score)


def _check_score(score: float) -> None:
    if not (math.isfinite(score) and 0 <= score <= 1):
        raise Unplannable(f"A score is {score}; scores go from 0 to 1.")


def _assertion_id(reading: str, head: tuple[int, int, str], relation: str, tail: tuple[int, int, str]) -> UUID:
    ends = ["{}-{}:{}".format(*end) for end in (head, tail)]
    return uuid5(ASSERTIONS, f"{reading}|{ends[0]}|{relation}|{ends[1]}")
