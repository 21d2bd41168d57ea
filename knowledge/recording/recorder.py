"""Writes extractions to the record: first planned as data (`row_plan.plan`), then written in one transaction.

Recording twice does nothing the second time: the lease's token is used up, and every row has a unique key. Rows are
locked and inserted in the order of their keys, so that two workers with common entities wait for each other without a
deadlock. Posts of a batch are recorded some at a time: most of the cost are look-ups that they share.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from extraction.models import Checkpoint, Deployment, Post, Reading
from extraction.schema import Claimed, Declined, Extraction
from knowledge.entities import auto_merge, name_index, names, partings
from knowledge.linking import link_queue
from knowledge.models import Assertion, Depiction, Entity, Evidence, Mention, Statement
from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import projection_queue, thresholds
from knowledge.recording import mention_corrections, reviews
from knowledge.recording.bulk_insert import insert
from knowledge.recording.row_plan import PlannedAssertion, Record, Unplannable, plan, results_of, with_keys
from knowledge.recording.statement_rows import statements_of

__all__ = ["Record", "Unplannable", "adopt", "make_current", "plan", "record", "record_many"]

logger = logging.getLogger(__name__)

TOGETHER = 8  # posts in one transaction: it must end soon, pages wait for it on SQLite
Pair = tuple[Claimed, Extraction]
Outcome = bool | Unplannable | IntegrityError | DataError


@dataclass(frozen=True, slots=True)
class _Item:
    """A reading on its way into the record."""

    claimed: Claimed
    extraction: Extraction
    reading: Reading
    planned: Record


def record(claimed: Claimed, extraction: Extraction) -> bool:
    """Write an extraction, make its reading the post's current one if it is of the current version by the deployed
    checkpoint, and marks what that touches: one transaction. False: the lease was lost, nothing was written.

    Raises Unplannable, or the database's error, with nothing written.
    """
    [outcome] = record_many([(claimed, extraction)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def record_many(pairs: Sequence[Pair]) -> list[Outcome]:
    """As `record`, for a batch: for each True, False where its lease was lost, or the error.

    A post that cannot be recorded does not stop the others: those of its transaction are written one by one.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(pairs), TOGETHER):
        outcomes += _record_some(pairs[start : start + TOGETHER])
    return outcomes


def _record_some(pairs: Sequence[Pair]) -> list[Outcome]:
    readings = (
        Reading.objects.select_related("version__post", "checkpoint")
        .defer("version__text")
        .in_bulk([claimed.reading_id for claimed, _ in pairs])
    )
    outcomes: list[Outcome] = []
    items = []
    for claimed, extraction in pairs:
        outcomes.append(False)
        if reading := readings.get(claimed.reading_id):
            try:
                items.append(_Item(claimed, extraction, reading, _plan(reading, extraction)))
            except Unplannable as error:
                outcomes[-1] = error
    try:
        written = _write_all(items)
    except (IntegrityError, DataError) as error:
        if len(pairs) == 1:
            return [error]
        logger.warning("A batch of %s posts is recorded one by one after %r", len(pairs), error)
        return [outcome for pair in pairs for outcome in _record_some([pair])]
    return [
        outcome if isinstance(outcome, Exception) else claimed.reading_id in written
        for (claimed, _), outcome in zip(pairs, outcomes, strict=True)
    ]


def _plan(reading: Reading, extraction: Extraction) -> Record:
    return plan(
        extraction,
        post=reading.version.post.public_id,
        ordinal=reading.version.ordinal,
        digest=reading.checkpoint.digest,
        inputs=reading.inputs,
        floor=settings.FLOOR or 0.0,
    )


def _write_all(items: Sequence[_Item]) -> set[int]:
    """One transaction; the ids of the readings whose lease still held and which are recorded now."""
    with transaction.atomic():
        thresholds.hold()
        # Posts before readings, as fetches lock them: a fetch and a recording cannot deadlock.
        locked = Post.objects.select_for_update(no_key=True).order_by("pk")
        posts = {post.pk: post for post in locked.filter(pk__in={item.reading.version.post_id for item in items})}
        held = _finish(items)
        items = [item for item in items if item.reading.pk in held]
        _write(items, posts)
        deployed = Deployment.objects.filter(active=True).values_list("checkpoint", flat=True).first()
        _make_current(
            [
                (posts[item.reading.version.post_id], item.reading, item.extraction.text)
                for item in items
                # A candidate checkpoint's reading never becomes current, nor one of an older version.
                if deployed in (None, item.reading.checkpoint_id)
                and posts[item.reading.version.post_id].current_version_id == item.reading.version_id
            ]
        )
    return held


def adopt(checkpoint: Checkpoint, chunk: int = 200) -> int:
    """Make the readings that `checkpoint` already has of posts' current versions their current ones; how many."""
    done = (Reading.Stage.DONE, Reading.Stage.DECLINED)
    waiting = Reading.objects.filter(checkpoint=checkpoint, stage__in=done, version=F("version__post__current_version"))
    other = Q(version__post__current_reading__isnull=True) | ~Q(version__post__current_reading=F("pk"))
    ids = list(waiting.filter(other).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), chunk):
        with transaction.atomic():
            thresholds.hold()
            for reading in Reading.objects.filter(pk__in=ids[start : start + chunk]).select_related("version"):
                make_current(Post.objects.select_for_update(no_key=True).get(pk=reading.version.post_id), reading)
    return len(ids)


def make_current(post: Post, reading: Reading) -> None:
    """Set a post's current reading, follow reviews and corrections into its text, mark the updates of both readings.

    Inside a transaction that holds the active thresholds and the post's row.
    """
    _make_current([(post, reading, reading.version.text)])


def _make_current(moves: Sequence[tuple[Post, Reading, str]]) -> None:
    if not moves:
        return
    touched = [pk for post, reading, _ in moves for pk in (post.current_reading_id, reading.pk) if pk is not None]
    for post, reading, _ in moves:
        post.current_reading = reading
    Post.objects.bulk_update([post for post, _, _ in moves], ["current_reading"])
    corrected = mention_corrections.settle(post.pk for post, _, _ in moves)
    if corrected.posts:
        corrected |= mention_corrections.release(set(touched) - {reading.pk for _, reading, _ in moves})
    reviewed = corrected.statements | reviews.follow({post.pk: text for post, _, text in moves})
    projection_queue.mark(projection_queue.Kind.POST, [post.public_id for post, _, _ in moves])
    projection_queue.mark(projection_queue.Kind.STATEMENT, _statement_keys(touched, reviewed))
    projection_queue.mark(projection_queue.Kind.ENTITY, _entity_keys(touched, reviewed, corrected.entities))


def _finish(items: Sequence[_Item]) -> set[int]:
    """End the leases; the readings whose lease was still valid. The others ran out, or an edit dropped the reading."""
    waiting = Reading.objects.select_for_update(no_key=True).filter(
        pk__in=[item.reading.pk for item in items], stage=Reading.Stage.READ
    )
    tokens = dict(waiting.order_by("pk").values_list("pk", "lease_token"))
    ends: dict[tuple[Declined | None, tuple[str, ...]], set[int]] = defaultdict(set)
    for item in items:
        if item.claimed.token and tokens.get(item.reading.pk) == item.claimed.token:
            ends[item.extraction.declined, item.extraction.missing].add(item.reading.pk)
    for (declined, missing), ids in ends.items():
        Reading.objects.filter(pk__in=ids).update(
            stage=Reading.Stage.DECLINED if declined else Reading.Stage.DONE,
            declined_code=declined.code[:30] if declined else "",
            declined_message=declined.message if declined else "",
            missing=list(missing),
            read_at=timezone.now(),
            lease_token="",
            lease_until=None,
            error="",
            attempts=0,
        )
    held = {pk for ids in ends.values() for pk in ids}
    for item in items:
        if item.reading.pk in held and (kept := results_of(item.extraction)):
            Reading.objects.filter(pk=item.reading.pk).update(results={**item.reading.results, **kept})
    return held


def _write(items: Sequence[_Item], posts: dict[int, Post]) -> None:
    items = _under_one_name(items)
    entities = {key: entity.pk for key, entity in _entities(items).items()}
    parted = partings.of_posts(posts)

    def meant(item: _Item, place: int) -> int:
        """The entity of a planned mention: the one of its name, unless an editor's split assigns it to another."""
        return partings.follow(parted[item.reading.version.post_id], entities[item.planned.mentions[place].key])

    mentions = _mentions(items, entities, meant)
    planned = [(item, one) for item in items for one in item.planned.assertions]
    statements = statements_of([(meant(item, one.head), one.relation, meant(item, one.tail)) for item, one in planned])
    published = {item.reading.pk: posts[item.reading.version.post_id].published_at for item in items}
    assertions = insert(
        Assertion,
        _ASSERTION,
        [
            (
                *(one.public_id, item.reading.pk, statement),
                *_of_mentions(one, mentions[item.reading.pk]),
                *([], published[item.reading.pk], "", ""),
            )
            for (item, one), statement in zip(planned, statements, strict=True)
        ],
    )
    Evidence.objects.bulk_create(
        Evidence(assertion_id=assertion, kind=part.kind, reference=part.reference, weight=part.weight)
        for assertion, (_, one) in zip(assertions, planned, strict=True)
        for part in one.evidence
    )
    Depiction.objects.bulk_create(
        Depiction(
            public_id=one.public_id,
            reading_id=item.reading.pk,
            mention_id=mentions[item.reading.pk][one.mention],
            picture=one.picture,
            image=one.region.image,
            box=list(one.region.box),
            label=one.region.label[:100],
            score=one.score,
            grounded=one.region.grounded,
        )
        for item in items
        for one in item.planned.depictions
    )


_ASSERTION: tuple[str, ...] = ("public_id", "reading_id", "statement_id")
_ASSERTION += ("head_mention_id", "tail_mention_id", "claimant_id", "relation", "score", "score_without_image")
_ASSERTION += (
    "factuality",
    "when_words",
    "when_earliest",
    "when_latest",
    "amount_words",
    "amount_value",
    "amount_unit",
)
_ASSERTION += ("qualifiers", "asserted_at", "valid_from", "valid_to")


def _of_mentions(one: PlannedAssertion, mentions: Sequence[int]) -> tuple[Any, ...]:
    """The columns of an assertion that its plan and the ids of the reading's mentions determine."""
    claimant = None if one.claimant is None else mentions[one.claimant]
    return (
        *(mentions[one.head], mentions[one.tail], claimant, one.relation, one.score, one.without_image),
        *(one.factuality, one.when.words, one.when.earliest, one.when.latest),
        *(one.amount.words, one.amount.value, one.amount.unit),
    )


def _mentions(
    items: Sequence[_Item], entities: dict[str, int], meant: Callable[[_Item, int], int]
) -> dict[int, list[int]]:
    """For each reading the ids of its mentions, in the plan's order."""
    ids = iter(
        insert(
            Mention,
            ("reading_id", "entity_id", "resolved_id", "start", "end", "type", "form", "score"),
            [
                (
                    *(item.reading.pk, now, None if now == entities[one.key] else entities[one.key]),
                    *(one.start, one.end, one.type, one.form, one.score),
                )
                for item in items
                for place, one in enumerate(item.planned.mentions)
                for now in (meant(item, place),)
            ],
        )
    )
    return {item.reading.pk: [next(ids) for _ in item.planned.mentions] for item in items}


def _under_one_name(items: Sequence[_Item]) -> Sequence[_Item]:
    """Give the names that a post uses for one entity the key of the oldest entity among them, or of the best name;
    names whose entities an editor has split keep their keys."""
    keys = {key for item in items for group in item.planned.aliases for key in group}
    if not keys:
        return items
    known = {row.key: row for row in Entity.objects.filter(key__in=keys)}
    return [replace(item, planned=with_keys(item.planned, _chiefs(item.planned, known))) for item in items]


def _chiefs(planned: Record, known: Mapping[str, Entity]) -> dict[str, str]:
    chiefs: dict[str, str] = {}
    for group in planned.aliases:
        present = [known[key] for key in group if key in known]
        if not auto_merge.parted(auto_merge.members(*present)):
            oldest = min(present, key=lambda row: row.pk, default=None)
            chiefs |= dict.fromkeys(group, oldest.key if oldest else group[0])
    return chiefs


def _entities(items: Sequence[_Item]) -> dict[str, Entity]:
    """The entity of each key, created where there is none; its names and its label are updated."""
    names_by_key: dict[str, set[tuple[str, str]]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    types: dict[str, str] = {}
    for item in items:
        for mention in item.planned.mentions:
            names_by_key[mention.key].add((mention.name, item.planned.language))
            labels[mention.key].add(mention.label)
            types[mention.key] = mention.entity_type
    found = _by_key(names_by_key)
    new = [Entity(key=key, type=types[key], label=names.best(labels[key])) for key in sorted(labels.keys() - found)]
    if new:
        Entity.objects.bulk_create(new, ignore_conflicts=True)
        found |= _by_key(entity.key for entity in new)
        link_queue.due(found[entity.key].pk for entity in new if _is_linked(entity))
    name_index.keep(found, names_by_key, labels)
    return found


def _is_linked(entity: Entity) -> bool:
    """Whether its name may lead to an entry of a knowledge base: not that of an office or an attack among many."""
    return entity.type not in VALUE_TYPES and not names.is_scoped(entity.key)


def _by_key(keys: Iterable[str]) -> dict[str, Entity]:
    return {entity.key: entity for entity in Entity.objects.filter(key__in=list(keys))}


def _statement_keys(readings: list[int], reviewed: set[int]) -> QuerySet[Statement, UUID]:
    """Of active assertions alone: most assertions lie below the thresholds, and no graph shows them."""
    active = Assertion.everything.filter(thresholds.reached(), reading__in=readings)
    asserted = Q(pk__in=active.values("statement"))
    return Statement.objects.filter(asserted | Q(pk__in=reviewed)).values_list("public_id", flat=True)


def _entity_keys(readings: list[int], reviewed: set[int], corrected: set[int]) -> set[UUID]:
    """The entities that the readings mention and that reviews and corrections are about, and those that stand for
    them."""
    named = Q(pk__in=Mention.everything.filter(reading__in=readings).values("entity")) | Q(pk__in=corrected)
    if reviewed:
        ends = Statement.objects.filter(pk__in=reviewed)
        named |= Q(pk__in=ends.values("head")) | Q(pk__in=ends.values("tail"))
    rows = Entity.objects.filter(named).values_list("public_id", "canonical__public_id")
    return {key for pair in rows for key in pair if key is not None}
