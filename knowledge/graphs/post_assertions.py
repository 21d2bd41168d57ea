"""The assertions of posts as graphs show them: those of current readings, and those that only a verdict supports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid5

from django.db.models import F
from django.db.models.functions import Coalesce

from extraction.models import Post
from knowledge.graphs.stated_values import value_of
from knowledge.graphs.units import (
    AmountContent,
    AssertionContent,
    EvidenceSpan,
    RegionContent,
    ReviewContent,
    TimeContent,
    Triple,
)
from knowledge.models import Entity, Evidence, Review
from knowledge.ontology import values
from knowledge.record import current
from knowledge.record.outcomes import review_state
from knowledge.recording import quotes

Ends = tuple[int, str, int]


def of(posts: Sequence[Post]) -> dict[int, list[AssertionContent]]:
    """By the ids of the posts, which have a current reading."""
    ids = [post.pk for post in posts]
    accepted = _accepted(ids)
    found = _assertions(ids, accepted)
    for post in posts:
        found[post.pk] += _by_review_alone(post, accepted[post.pk], found[post.pk])
    return found


def _now(mention: str, part: str) -> Coalesce:
    """A column of the entity that stands for that of a mention."""
    return Coalesce(f"{mention}__entity__canonical__{part}", f"{mention}__entity__{part}")


_READ = {
    "post": F("reading__version__post"),
    "read_head": _now("head_mention", "public_id"),
    "read_tail": _now("tail_mention", "public_id"),
    "claimed_by": _now("claimant", "public_id"),
    "head_type": _now("head_mention", "type"),
    **{f"tail_{part}": _now("tail_mention", part) for part in ("type", "key", "label")},
}
_SPAN = ("start", "end", "type")
_COLUMNS: tuple[str, ...] = ("public_id", "relation", "score", "score_without_image", "head_now", "tail_now")
_COLUMNS += ("factuality", "when_words", "when_earliest", "when_latest", "amount_words", "amount_value", "amount_unit")
_COLUMNS += tuple(f"{end}_mention__{part}" for end in ("head", "tail") for part in _SPAN)


def _assertions(ids: list[int], accepted: dict[int, dict[Ends, Review]]) -> dict[int, list[AssertionContent]]:
    found: dict[int, list[AssertionContent]] = defaultdict(list)
    rows = current.assertions().filter(reading__current_of__in=ids).annotate(**_READ)
    shown, echoes = _regions(ids), _echoes(ids)
    for row in rows.order_by("pk").values("pk", *_COLUMNS, *_READ):
        if not values.is_shown(row["relation"], row["head_type"], row["tail_type"]):
            continue
        is_value = row["tail_type"] in values.VALUE_TYPES
        ends = (row["head_now"], row["relation"], row["tail_now"])
        content = AssertionContent(
            key=row["public_id"],
            triple=Triple(row["read_head"], row["relation"], row["read_tail"]),
            score=row["score"],
            head=_span(row, "head"),
            tail=_span(row, "tail"),
            accepted=ends in accepted[row["post"]],
            review=_reviewed(accepted[row["post"]].get(ends)),
            without_image=row["score_without_image"],
            echo=row["pk"] in echoes,
            regions=shown.get(row["pk"], ()),
            value=values.value(row["tail_type"], row["tail_key"], row["tail_label"]) if is_value else None,
            factuality=row["factuality"],
            claimant=row["claimed_by"],
            when=TimeContent(row["when_words"], row["when_earliest"], row["when_latest"]),
            amount=AmountContent(row["amount_words"], row["amount_value"], row["amount_unit"]),
        )
        found[row["post"]].append(content)
    return found


def _span(row: Mapping[str, Any], end: str) -> EvidenceSpan:
    start, stop, kind = (row[f"{end}_mention__{part}"] for part in _SPAN)
    return EvidenceSpan(start, stop, kind)


def _regions(ids: list[int]) -> dict[int, tuple[RegionContent, ...]]:
    """The regions that are evidence of assertions. From the record alone, so that a rebuilt graph is the same."""
    found: dict[int, tuple[RegionContent, ...]] = {}
    rows = Evidence.objects.filter(assertion__reading__current_of__in=ids, kind=Evidence.Kind.REGION)
    for assertion, reference in rows.order_by("pk").values_list("assertion", "reference"):
        if "box" not in reference:
            continue
        x, y, w, h = reference["box"]
        region = RegionContent(reference.get("image", 0), (x, y, w, h), reference.get("class", ""))
        found[assertion] = (*found.get(assertion, ()), region)
    return found


def _echoes(ids: list[int]) -> set[int]:
    """The assertions that are repeated facts: their reader was shown the very same fact."""
    rows = Evidence.objects.filter(assertion__reading__current_of__in=ids, kind=Evidence.Kind.FACT)
    return set(rows.values_list("assertion", flat=True))


def _accepted(ids: list[int]) -> dict[int, dict[Ends, Review]]:
    found: dict[int, dict[Ends, Review]] = defaultdict(dict)
    rows = current.accepting().filter(post__in=ids).select_related("statement", "claimant__canonical", "by")
    for given in rows.order_by("pk"):
        found[given.post_id][given.head_now, given.statement.relation, given.tail_now] = given
    return found


def _by_review_alone(post: Post, accepted: dict[Ends, Review], read: list[AssertionContent]) -> list[AssertionContent]:
    """Accepted statements that this reading lacks, at the place where the quoted words are now."""
    ids = {end for head, _, tail in accepted for end in (head, tail)}
    ends = Entity.objects.in_bulk(ids) if ids else {}
    triples = {(one.triple.head, one.triple.relation, one.triple.tail) for one in read}
    triples |= {(tail, relation, head) for head, relation, tail in triples if relation in current.SYMMETRIC}
    found = []
    for (head, relation, tail), given in accepted.items():
        triple = Triple(ends[head].public_id, relation, ends[tail].public_id)
        known = (triple.head, relation, triple.tail) in triples
        if not known and values.is_shown(relation, ends[head].type, ends[tail].type):
            content = AssertionContent(
                key=uuid5(post.public_id, f"review|{given.statement.public_id}"),
                triple=triple,
                head=_quoted(post, given, "head"),
                tail=_quoted(post, given, "tail"),
                accepted=True,
                review=_reviewed(given),
                value=value_of(ends[tail]),
                factuality=current.strongest([given.factuality]),
                **_qualifiers(given),
            )
            found.append(content)
    return found


def _reviewed(given: Review | None) -> ReviewContent:
    if given is None:
        return ReviewContent()
    by = (given.by.get_username(),) if given.by else ()
    return ReviewContent(review_state(given), by, given.at)


def _qualifiers(given: Review) -> dict[str, Any]:
    """Of an editor's own claim: what another accepting verdict keeps was extracted by a reading that is not current."""
    if not given.own:
        return {}
    claimant = given.claimant and (given.claimant.canonical or given.claimant)
    return {
        "claimant": claimant.public_id if claimant else None,
        "when": TimeContent(given.when_words, given.when_earliest, given.when_latest),
        "amount": AmountContent(given.amount_words, given.amount_value, given.amount_unit),
    }


def _quoted(post: Post, given: Review, end: str) -> EvidenceSpan | None:
    assert post.current_reading is not None
    place = quotes.find(post.current_reading.version.text, given.quotes[end])
    if place is None:
        return None
    return EvidenceSpan(place, place + len(given.quotes[end]["exact"]), given.quintuple[f"{end}_type"])
