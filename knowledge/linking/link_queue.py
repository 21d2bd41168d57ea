"""Links entities to Wikidata: by the link queue, corrected by editors, shown in the graph.

A row of `Link` is created with its entity and is due until it was looked up. Due rows are claimed by moving their time
on, so that a worker's crash only delays them; looking an entity up twice gives the same row. Two entities of one type
that are linked to one entry with high confidence are merged, unless an editor has split them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from extraction import leases
from knowledge.entities import auto_merge, merges
from knowledge.linking import enrichment
from knowledge.linking.enrichment import Learned
from knowledge.models import Entity, Link, Mention, Statement
from knowledge.ontology.values import VALUE_TYPES
from knowledge.ontology.vocabulary import COMPARABLE
from knowledge.record import audit_log, current, projection_queue
from knowledge.sources.protocol import Encyclopedia, Known, KnownFact, SourceUnavailable

if TYPE_CHECKING:
    from knowledge.linking.candidate_ranking import Question
    from knowledge.linking.linker import Linker, LinkResult

BATCH = 40
CLAIMED_FOR = timedelta(minutes=15)  # far longer than a batch takes
RETRY_AFTER = timedelta(minutes=1)
LONGEST_WAIT = timedelta(days=1)
AROUND = 250  # code points before and after a mention that are compared
PLACES = 3  # mentions of an entity, of as many posts, whose words are compared
OTHERS = 20
KEPT_WHOLE = 10  # candidates with their facts; the rest with name and score, more is requested when one is chosen
FACTS = 200
MERGE_THRESHOLD = 0.8  # confidence of both links from which two entities are merged


@dataclass(slots=True)
class LookedUp:
    """The counts of a batch of look-ups."""

    linked: int = 0
    nil: int = 0
    merged: int = 0
    failed: int = 0
    entities: set[int] = field(default_factory=set)  # whose link changed

    def __bool__(self) -> bool:
        return bool(self.linked or self.nil or self.failed)


def due(entities: Iterable[int]) -> None:
    """Queue new entities for linking, in the transaction that creates them."""
    now = timezone.now()
    Link.objects.bulk_create([Link(entity_id=pk, due_at=now) for pk in entities], ignore_conflicts=True)


def look_up(linker: Linker, source: str, limit: int = BATCH, encyclopedias: Sequence[Encyclopedia] = ()) -> LookedUp:
    """Link at most `limit` due entities, and fetch details on those linked. One entity's error is not raised: it is
    stored in its row, and the entity is looked up again later; likewise where a service was unavailable."""
    rows = leases.claim(Link.objects.select_related("entity"), limit, CLAIMED_FOR)
    questions = _questions([row.entity for row in rows])
    done = LookedUp()
    for row in rows:
        try:
            _look_up_one(row, questions.get(row.entity_id), linker, source, encyclopedias, done)
        except Exception as error:
            _fail(row, error)
            done.failed += 1
        if row.entity.type not in VALUE_TYPES:
            done.merged += auto_merge.by_spelling(row.entity)
    return done


def _look_up_one(
    row: Link,
    question: Question | None,
    linker: Linker,
    source: str,
    encyclopedias: Sequence[Encyclopedia],
    done: LookedUp,
) -> None:
    if row.by_id:
        known = linker.known(row.target) if row.target and not row.facts else None
        _keep_learned(row, known, enrichment.learn(row.target, encyclopedias))
        done.linked += bool(row.target)
        return
    linked = linker.link([question])[0] if question and row.entity.type not in VALUE_TYPES else None
    _keep(row, linked, source, done, enrichment.learn(linked.chosen if linked else "", encyclopedias))


def degraded() -> QuerySet[Link]:
    """The links with an error: a source was unavailable, or the look-up failed, so they are incomplete."""
    return Link.objects.exclude(error="")


def again(entities: Iterable[int] | None = None) -> int:
    """Make links due again that no editor decided, for example after a new index was built; how many."""
    rows = Link.objects.filter(by__isnull=True)
    if entities is not None:
        rows = rows.filter(entity__in=entities)
    return rows.update(due_at=timezone.now(), attempts=0, error="")


def decide(entity: Entity, target: str, by: audit_log.Who) -> None:
    """Set an editor's choice of the entity's link: one of its candidates, or "" for none. Raises ValueError."""
    with transaction.atomic():
        row = Link.objects.select_for_update().get_or_create(entity=entity)[0]
        chosen = next((one for one in row.candidates if one["id"] == target), None)
        if target and chosen is None:
            raise ValueError(f"{target} is not a candidate for this entity.")
        before, row.target, row.by_id = row.target, target, by.pk if by else None
        row.label, row.description = (chosen["label"], chosen["description"]) if chosen else ("", "")
        row.addresses, row.facts = (chosen["addresses"], chosen["facts"]) if chosen else ({}, [])
        # The details of another target have yet to be fetched.
        row.categories, row.abstract = ([], "") if target != before else (row.categories, row.abstract)
        row.sure, row.due_at = 1.0, timezone.now() if target else None
        row.save()
        audit_log.note(by, "link decided", str(entity.public_id), before, target)
        mark(entity)


def _questions(entities: Sequence[Entity]) -> dict[int, Question]:
    """The question for each entity that a current reading mentions: its name, and the words of its first posts."""
    from knowledge.linking.candidate_ranking import Question

    mentions = current.mentions().filter(entity__in=[one.pk for one in entities]).select_related("reading__version")
    places: dict[int, list[Mention]] = defaultdict(list)
    for mention in mentions.order_by("reading", "start"):
        mine = places[mention.entity_id]
        if len(mine) < PLACES and mention.reading_id not in {one.reading_id for one in mine}:
            mine.append(mention)
    beside = _beside({one.reading_id for mine in places.values() for one in mine})
    return {
        entity.pk: Question(
            entity.label,
            entity.type,
            " … ".join(_around(one) for one in places[entity.pk]),
            tuple(label for one in places[entity.pk] for pk, label in beside[one.reading_id] if pk != entity.pk)[
                :OTHERS
            ],
        )
        for entity in entities
        if entity.pk in places
    }


def _beside(readings: Iterable[int]) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    rows = Mention.objects.filter(reading__in=readings).exclude(type__in=VALUE_TYPES)
    for reading, pk, label in rows.values_list("reading", "entity", "entity__label").distinct():
        found[reading].append((pk, label))
    return found


def _around(mention: Mention) -> str:
    return mention.reading.version.text[max(0, mention.start - AROUND) : mention.end + AROUND]


def _keep(row: Link, linked: LinkResult | None, source: str, done: LookedUp, learned: Learned) -> None:
    ranked = linked.candidates if linked else ()
    candidates = [_candidate(one, FACTS if place < KEPT_WHOLE else 0) for place, one in enumerate(ranked)]
    with transaction.atomic():
        held = Link.objects.select_for_update().filter(pk=row.pk, by__isnull=True).first()
        if held is None:  # an editor decided meanwhile, or the entity was erased
            return
        before, shown = held.target, _shown(held)
        chosen = candidates[0] if linked and linked.chosen else None
        held.target, held.sure = (chosen or {}).get("id", ""), linked.confidence if linked else 0.0
        held.source = (linked.source if linked else "") or source
        held.label, held.description = (chosen or {}).get("label", ""), (chosen or {}).get("description", "")
        held.addresses, held.facts = (chosen or {}).get("addresses", {}), (chosen or {}).get("facts", [])
        held.candidates, held.looked_up_at = candidates, timezone.now()
        _take_in(held, learned, fresh=held.target != before)
        held.save()
        if _shown(held) != shown:
            mark(row.entity)
            done.entities.add(row.entity_id)
    done.linked += bool(held.target)
    done.nil += not held.target
    if held.target and held.sure >= MERGE_THRESHOLD:
        done.merged += _merge_same_links(held)


def _keep_learned(row: Link, known: Known | None, learned: Learned) -> None:
    """Store details for a link that an editor decided. `known`: from the sources of candidates, where
    the chosen one was kept without facts."""
    with transaction.atomic():
        held = Link.objects.select_for_update().filter(pk=row.pk, target=row.target, by__isnull=False).first()
        if held is not None:
            shown = _shown(held)
            held.facts = held.facts or (_rows(known.facts[:FACTS]) if known else [])
            _take_in(held, learned, fresh=False)
            held.save()
            if _shown(held) != shown:
                mark(row.entity)


def _shown(held: Link) -> tuple[Any, ...]:
    """The parts of a link that graphs and pages show."""
    about = (held.target, held.description, held.abstract, held.categories, held.facts, held.addresses)
    return about if held.target else ()


def _take_in(held: Link, learned: Learned, *, fresh: bool) -> None:
    """Merge services' details into a link; where a service was unavailable, the row stays due and keeps what it had, if
    the target is the same."""
    about = learned.about
    held.facts = enrichment.with_names(held.facts, about.facts)
    held.addresses = {**about.links, **held.addresses}
    if fresh or not learned.away:
        held.categories, held.abstract = list(about.categories), about.abstract
    else:
        held.categories, held.abstract = list(about.categories) or held.categories, about.abstract or held.abstract
    held.error = " ".join(learned.away)[:2000]
    held.due_at, held.attempts = (_next_try(held), held.attempts + 1) if learned.away else (None, 0)


def _candidate(one: Any, facts: int) -> dict[str, Any]:
    known = one.known
    return {
        "id": known.id,
        "label": known.label[:400],
        "description": known.description[:400],
        "score": round(one.score, 3),
        "share": round(one.share, 4),
        "addresses": dict(known.links),
        "facts": _rows(known.facts[:facts]),
    }


def _rows(facts: Iterable[KnownFact]) -> list[list[str]]:
    return enrichment.with_names([], facts)


def _fail(row: Link, error: Exception) -> None:
    message = str(error) if isinstance(error, SourceUnavailable) else f"{type(error).__name__}: {error}"
    values = {"due_at": _next_try(row), "attempts": row.attempts + 1, "error": message[:2000]}
    Link.objects.filter(pk=row.pk).update(**values)


def _next_try(row: Link) -> datetime:
    result: datetime = timezone.now() + min(LONGEST_WAIT, RETRY_AFTER * 2 ** min(row.attempts, 12))
    return result


def _merge_same_links(link: Link) -> int:
    """Merge entities with the same link into the oldest; how many were merged. None are, where an editor has split any
    of them."""
    same = Link.objects.filter(target=link.target, sure__gte=MERGE_THRESHOLD, entity__type=link.entity.type)
    rows = same.filter(entity__canonical__isnull=True).order_by("entity").select_related("entity")
    entities = [one.entity for one in rows]
    if len(entities) < 2 or auto_merge.parted({one.pk for one in entities}):
        return 0
    try:
        merges.merge(entities[0], entities[1:], None)
    except merges.NothingToMerge:
        return 0
    return len(entities) - 1


def mark(entity: Entity) -> None:
    """Mark the entity and its statements that can be compared with its facts."""
    one = projection_queue.with_survivors(Entity.objects.filter(pk=entity.pk))
    members = Entity.objects.filter(Q(pk__in=one.values("pk")) | Q(canonical__in=one.values("pk")))
    ends = Q(head__in=members.values("pk")) | Q(tail__in=members.values("pk"))
    projection_queue.mark_rows(projection_queue.Kind.STATEMENT, Statement.objects.filter(ends, relation__in=COMPARABLE))
    projection_queue.mark_rows(projection_queue.Kind.ENTITY, one)
