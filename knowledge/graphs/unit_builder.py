"""Builds graph updates from the record's current state, many at a time, in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from django.db.models.functions import Coalesce

from extraction.models import Post
from extraction.schema import Factuality
from knowledge.graphs import post_assertions, stated_values
from knowledge.graphs.stated_values import value_of
from knowledge.graphs.statement_support import of as support_of
from knowledge.graphs.statement_support import rows_of_triples
from knowledge.graphs.units import (
    AssertionContent,
    Comparison,
    DepictionContent,
    EntityContent,
    EntityUnit,
    EvidenceSpan,
    KnownContent,
    Name,
    PostContent,
    PostUnit,
    RegionContent,
    StatedValue,
    StatementUnit,
    Triple,
    Unit,
)
from knowledge.linking import linked_facts
from knowledge.linking.fact_comparison import EXTRACTED_ONLY, StatementComparison, agreements
from knowledge.linking.linked_facts import LinkedFacts
from knowledge.models import Entity, EntityName, Merge, Projection, Statement
from knowledge.ontology import values, vocabulary
from knowledge.record import current, depictions
from knowledge.sources.protocol import WIKIDATA, source_of

MERGED_AT_ONCE = 200
Kind = Projection.Kind
Ends = tuple[int, str, int]


def units(rows: Iterable[Projection], *, with_support: bool = False) -> list[Unit]:
    """The current state of these graph updates. One whose row was deleted from the record has no content."""
    keys: dict[str, list[UUID]] = defaultdict(list)
    for row in rows:
        keys[row.kind].append(row.key)
    found = statements(keys[Kind.STATEMENT], with_support=with_support)
    return [*posts(keys[Kind.POST]), *found, *entities(keys[Kind.ENTITY])]


def posts(keys: Sequence[UUID]) -> list[PostUnit]:
    if not keys:
        return []
    live = Post.objects.filter(public_id__in=keys, state=Post.State.LIVE, current_reading__isnull=False)
    found = {
        post.public_id: post for post in live.select_related("current_reading__version", "current_reading__checkpoint")
    }
    ids = [post.pk for post in found.values()]
    by_post = post_assertions.of(list(found.values()))
    mentioned, shown = _mentions(ids), depictions.of_posts(ids)
    return [
        PostUnit(key, _post(post, by_post[post.pk], mentioned[post.pk], shown.get(post.pk, [])) if post else None)
        for key in keys
        for post in [found.get(key)]
    ]


def entities(keys: Sequence[UUID]) -> list[EntityUnit]:
    if not keys:
        return []
    found = {row.public_id: row for row in Entity.objects.filter(public_id__in=keys).select_related("canonical")}
    standing = [row.pk for row in found.values() if row.canonical_id is None]
    known = set(current.entities().filter(pk__in=standing).values_list("pk", flat=True))
    names: dict[int, set[Name]] = defaultdict(set)
    stands_for = current.members(known) if known else {}
    for entity, name, language in EntityName.objects.filter(entity__in=stands_for, hidden=False).values_list(
        "entity", "name", "language"
    ):
        names[stands_for[entity]].add(Name(name, language))
    links = linked_facts.links_of(stands_for) if stands_for else {}
    given = stated_values.of(stands_for)
    return [EntityUnit(key, _entity(found.get(key), known, names, links, given)) for key in keys]


def _same(link: LinkedFacts | None) -> tuple[str, ...]:
    """Its addresses in Wikidata and DBpedia."""
    if link is None:
        return ()
    dbpedia = link.addresses.get("dbpedia", "")
    return (f"{vocabulary.WIKIDATA}{link.target}", *([dbpedia] if dbpedia else []))


def _known(link: LinkedFacts | None) -> KnownContent | None:
    if link is None:
        return None
    about = (link.description, link.abstract, link.categories, link.facts)
    others = {source_of(own) for *_, own in link.facts} - {WIKIDATA}
    return KnownContent(link.target, *about, sources=(WIKIDATA, *sorted(others)))


def statements(keys: Sequence[UUID], *, with_support: bool = False) -> list[StatementUnit]:
    """Statements as triples, each also with its earlier triples, by merges that were undone or before active ones: the
    store may still hold these."""
    if not keys:
        return []
    columns = ("pk", "public_id", "head", "relation", "tail")
    found = list(Statement.objects.filter(public_id__in=keys).values_list(*columns))
    rows = [row[1:] for row in found]
    ever = _ever_survivors({end for _, head, _, tail in rows for end in (head, tail)})
    forms = {
        key: {_ordered(h, relation, t) for h in ever[head] for t in ever[tail] if h != t}
        for key, head, relation, tail in rows
    }
    every = {form for found in forms.values() for form in found}
    ids = {end for head, _, tail in every for end in (head, tail)}
    members = current.members(ids)
    # Where no merge has touched their ends, no other row has the same triple: only these rows are queried.
    alone = all(len(some) == 1 for some in ever.values()) and len(members) == len(ids)
    only = [row[0] for row in found] if alone else rows_of_triples(every, members)
    ends = Entity.objects.in_bulk(ids)
    supported = {
        (h, relation, t): factuality
        for (h, relation, t), factuality in supported_among(every, only).items()
        if values.is_shown(relation, ends[h].type, ends[t].type)
    }
    support = support_of(supported, only) if with_support else {}

    shown = {(h, relation, t): Triple(ends[h].public_id, relation, ends[t].public_id) for h, relation, t in every}
    standing = agreements(supported)

    def unit(key: UUID) -> StatementUnit:
        present = sorted(forms.get(key, set()) & supported.keys(), key=shown.__getitem__)
        given = [value_of(ends[tail]) for _, _, tail in present]
        edges = {one for one, value in zip(present, given, strict=True) if value is None}
        gone = sorted(shown[form] for form in forms.get(key, set()) - edges)
        return StatementUnit(
            *(key, tuple(shown[one] for one in present), tuple(gone)),
            support=tuple(support[one] for one in present if with_support),
            compared=_compared([standing[one] for one in present]),
            factualities=_unless_all([supported[one] for one in present], "stated"),
            values=_unless_all(given, None),
        )

    return [unit(key) for key in keys]


T = TypeVar("T")


def _unless_all(found: Sequence[T], usual: T) -> tuple[T, ...]:
    """These, or nothing where all are as usual."""
    return () if all(one == usual for one in found) else tuple(found)


def _compared(found: Sequence[StatementComparison]) -> tuple[Comparison | None, ...]:
    if all(one.standing == EXTRACTED_ONLY for one in found):
        return ()
    return tuple(
        None
        if one.standing == EXTRACTED_ONLY
        else Comparison(one.standing, one.source, one.target, one.value, one.fact)
        for one in found
    )


def supported_among(forms: set[Ends], only: Sequence[int] | None = None) -> dict[Ends, Factuality]:
    """Those of these triples, by ids of entities, that any statement row supports now, with the strongest support;
    `only`: the rows that can."""
    if not forms:
        return {}
    if only is not None:
        rows = Statement.objects.filter(pk__in=only)
    else:
        heads = current.members(end for head, _, tail in forms for end in (head, tail))
        relations = {relation for _, relation, _ in forms}
        rows = Statement.objects.filter(head__in=heads, tail__in=heads, relation__in=relations)
    ends = current.with_ends(rows).values_list("pk", "head_now", "relation", "tail_now")
    among = {pk: (head, relation, tail) for pk, head, relation, tail in ends if (head, relation, tail) in forms}
    found: dict[Ends, Factuality] = {}
    for pk, factuality in current.supported_among(among).items():
        found[among[pk]] = current.strongest((factuality, found.get(among[pk], factuality)))
    return found


def _ever_survivors(ids: set[int]) -> dict[int, set[int]]:
    """For each entity: itself and every entity that it was ever merged into."""
    ever = {pk: {pk} for pk in ids}
    wanted = sorted(map(str, ids)) if Merge.objects.exists() else []
    # Some at a time: each key is a condition of its own, and SQLite takes no more than a thousand.
    for start in range(0, len(wanted), MERGED_AT_ONCE):
        some = wanted[start : start + MERGED_AT_ONCE]
        for survivor, former in Merge.objects.filter(former__has_any_keys=some).values_list("survivor", "former"):
            for pk in former.keys() & set(some):
                ever[int(pk)].add(survivor)
    return ever


def _ordered(head: int, relation: str, tail: int) -> Ends:
    return (tail, relation, head) if relation in current.SYMMETRIC and tail < head else (head, relation, tail)


def _mentions(ids: list[int]) -> dict[int, list[UUID]]:
    found: dict[int, list[UUID]] = defaultdict(list)
    entity = Coalesce("entity__canonical__public_id", "entity__public_id")
    rows = current.mentions().filter(reading__current_of__in=ids).order_by()
    # What a post mentions are things; a merged entity's type is that of its survivor.
    rows = rows.annotate(kind=Coalesce("entity__canonical__type", "entity__type")).exclude(kind__in=values.VALUE_TYPES)
    for post, key in rows.values_list("reading__current_of", entity).distinct():
        found[post].append(key)
    return found


def _depiction(one: depictions.ReviewedDepiction) -> DepictionContent:
    row = one.depiction
    x, y, w, h = row.box
    return DepictionContent(
        key=row.public_id,
        entity=one.entity.public_id,
        region=RegionContent(row.image, (x, y, w, h), row.label),
        score=row.score,
        text=EvidenceSpan(row.mention.start, row.mention.end, row.mention.type),
        accepted=one.review is not None,
        grounded=row.grounded,
    )


def _post(
    post: Post, assertions: list[AssertionContent], mentions: list[UUID], shown: list[depictions.ReviewedDepiction]
) -> PostContent:
    reading = post.current_reading
    assert reading is not None
    return PostContent(
        link=post.link,
        title=reading.version.title or reading.version.text[:200].strip(),
        language=reading.version.language,
        published_at=post.published_at,
        version=reading.version.ordinal,
        checkpoint=reading.checkpoint.digest,
        read_at=reading.read_at,
        assertions=tuple(assertions),
        mentions=tuple(sorted(mentions)),
        publisher=post.publisher,
        depictions=tuple(_depiction(one) for one in shown if one.counts),
    )


def _entity(
    row: Entity | None,
    known: set[int],
    names: dict[int, set[Name]],
    links: Mapping[int, LinkedFacts],
    given: Mapping[int, tuple[StatedValue, ...]],
) -> EntityContent | None:
    if row is None:
        return None
    if row.canonical is not None:
        return EntityContent(row.label, row.type, survivor=row.canonical.public_id)
    if row.pk not in known:
        return None
    ordered = tuple(sorted(names[row.pk], key=lambda name: (name.name, name.language)))
    link = links.get(row.pk)
    return EntityContent(
        row.label,
        row.type,
        ordered,
        same=_same(link),
        known=_known(link),
        values=given.get(row.pk, ()),
        description=row.description,
    )
