"""The queries for active assertions and supported statements, which every page, graph and metric uses.

An assertion is active when its reading is its post's current one, the post is live, its score reaches the active
threshold, its text does not deny it and no review overrides it. An accepting review supports its statement by itself
while its words are in the post; where editors differ, the one that decides does (`outcomes`). Rows keep the entities
that they were resolved to; these queries replace them by the survivors of merges: `head_now` and `tail_now` are the ids
of the entities that stand for a statement's ends, ordered by id where the relation is symmetric. Statements that a
merge turned into loops are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import Case, Exists, F, Max, Model, OuterRef, Q, QuerySet, When
from django.db.models.functions import Coalesce, Greatest, Least

from extraction.labels import RELATIONS
from extraction.models import Post
from extraction.schema import FACTUALITIES, Factuality
from knowledge.models import Assertion, Entity, Mention, Review, Statement
from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import thresholds

DENIED = "denied"
SYMMETRIC = tuple(sorted(key for key, relation in RELATIONS.items() if relation.symmetric))
AT_ONCE = 5000  # ids in a query: SQLite takes no more than 32,766 parameters
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Edge:
    """A supported statement between entities that stand for themselves; `statements` are its rows.

    `posts` counts the posts that support it; `score` is the best assertion's, None where only a review supports it;
    `reviews` are the ids of those that accept it; `factuality` is its strongest support.
    """

    head: Entity
    relation: str
    tail: Entity
    statements: tuple[int, ...]
    posts: int
    score: float | None
    reviews: tuple[int, ...] = ()
    factuality: Factuality = "stated"


@dataclass(frozen=True, slots=True)
class Neighbour:
    entity: Entity
    edges: tuple[Edge, ...]


def assertions(limits: thresholds.Thresholds | None = None) -> QuerySet[Assertion]:
    """Every active assertion, with `head_now` and `tail_now`."""
    return _asserted(limits).exclude(factuality=DENIED)


def denials(limits: thresholds.Thresholds | None = None) -> QuerySet[Assertion]:
    """The evidence against statements: assertions that would be active if their text did not deny them."""
    return _asserted(limits).filter(factuality=DENIED)


def difference(before: thresholds.Thresholds, after: thresholds.Thresholds) -> tuple[int, int]:
    """How many assertions of the current readings a change of thresholds would activate, and how many deactivate."""
    then, now = assertions(before), assertions(after)
    activated = now.exclude(thresholds.reached(before)).count()
    return activated, then.exclude(thresholds.reached(after)).count()


def _asserted(limits: thresholds.Thresholds | None) -> QuerySet[Assertion]:
    read = Assertion.objects.filter(reading__current_of__state=Post.State.LIVE)
    shown = with_ends(read.filter(thresholds.reached(limits)), "statement__").exclude(head_now=F("tail_now"))
    result: QuerySet[Assertion] = of_entities(shown).exclude(Exists(_overriding_outer()))
    return result


def accepting() -> QuerySet[Any]:
    """The reviews that support their statement by themselves, with `head_now` and `tail_now`. Accepting a denied
    assertion supports nothing."""
    return _accepted().exclude(factuality=DENIED)


def own_denials() -> QuerySet[Any]:
    """The reviews by which an editor says that a post denies a statement, with `head_now` and `tail_now`."""
    return _accepted().filter(factuality=DENIED, own=True)


def _accepted() -> QuerySet[Any]:
    deciding = active_reviews().filter(outcome=Review.Outcome.DECIDES, verdict=Review.Verdict.ACCEPT)
    held = deciding.filter(lost=False, post__state=Post.State.LIVE)
    result: QuerySet[Any] = of_entities(with_ends(held, "statement__").exclude(head_now=F("tail_now")))
    return result


def of_entities(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Without those about what an editor removed as no entity."""
    removed = Entity.objects.filter(removed=True).values("pk")
    return rows.exclude(Q(head_now__in=removed) | Q(tail_now__in=removed))


def supported_statements() -> QuerySet[Any]:
    """The statements that are in the graph, with `head_now` and `tail_now`; several rows may have one triple."""
    asserted = assertions().filter(statement=OuterRef("pk")).order_by()
    accepted = accepting().filter(statement=OuterRef("pk")).order_by()
    supported: QuerySet[Any] = with_ends(Statement.objects.all()).filter(Q(Exists(asserted)) | Q(Exists(accepted)))
    return supported


def supported_among(rows: Iterable[int]) -> dict[int, Factuality]:
    """Those of these statement rows that are in the graph, with their strongest support. By `supported_statements()`,
    databases would search the support of every statement there is."""
    candidates, found = list(rows), dict[int, Factuality]()
    for start in range(0, len(candidates), AT_ONCE):
        for support in (assertions(), accepting()):
            supporting = support.filter(statement__in=candidates[start : start + AT_ONCE]).order_by()
            for statement, factuality in supporting.values_list("statement", "factuality").distinct():
                found[statement] = strongest((factuality, found.get(statement, factuality)))
    return found


def strongest(found: Iterable[str]) -> Factuality:
    """Stated before planned before alleged."""
    given = set(found)
    return next(one for one in FACTUALITIES if one in given)


def mentions() -> QuerySet[Mention]:
    """The mentions of entities in the current readings of live posts."""
    live = Mention.objects.filter(reading__current_of__state=Post.State.LIVE)
    removed = Entity.objects.filter(removed=True, canonical__isnull=True)
    members = Entity.objects.filter(Q(pk__in=removed) | Q(canonical__in=removed))
    return live.exclude(entity__in=members.values("pk"))


def entities() -> QuerySet[Entity]:
    """The entities that stand for themselves and are known now: mentioned in a live post, or an end of a statement
    that a review supports. Values, times and numbers, are left out."""
    own = Mention.objects.filter(entity=OuterRef("pk"), reading__current_of__state=Post.State.LIVE)
    merged = Mention.objects.filter(entity__canonical=OuterRef("pk"), reading__current_of__state=Post.State.LIVE)
    accepted = accepting()
    reviewed = Q(pk__in=accepted.values("head_now")) | Q(pk__in=accepted.values("tail_now"))
    standing = Entity.objects.filter(canonical__isnull=True, removed=False)
    known = standing.filter(Q(Exists(own)) | Q(Exists(merged)) | reviewed)
    return known.exclude(type__in=VALUE_TYPES)


def active_reviews() -> QuerySet[Review]:
    return Review.objects.filter(withdrawn_at__isnull=True)


def members(entities: Iterable[int]) -> dict[int, int]:
    """Of each of these entities and each merged into one of them: the id of the entity that stands for it."""
    ids = set(entities)
    merged = Entity.objects.filter(canonical__in=ids).values_list("pk", "canonical_id")
    return {entity: entity for entity in ids} | {pk: survivor for pk, survivor in merged if survivor is not None}


def statements_of(entity: Entity, limit: int = 1000) -> list[Edge]:
    """The statements with this entity as head or tail, its merged ones' included; best supported first.

    Of an entity with more than `limit` of them the newest.
    """
    ids = list(members([entity.canonical_id or entity.pk]))
    touching = with_ends(Statement.objects.filter(Q(head__in=ids) | Q(tail__in=ids))).order_by("-pk")
    rows: list[Any] = []
    support = StatementSupport()
    # Rows first, then the support of just these: in one query, databases would search the support of all statements.
    chunk = list(touching[:limit])
    while chunk:
        support.find([row.pk for row in chunk])
        rows += [row for row in chunk if row.pk in support.posts]
        more = len(chunk) == limit and len(rows) < limit
        chunk = list(touching.filter(pk__lt=chunk[-1].pk)[:limit]) if more else []
    edges = _edges(rows[:limit], support)
    return sorted(edges, key=lambda edge: (-edge.posts, edge.relation, edge.head.label, edge.tail.label))


def neighbours(entity: Entity, limit: int = 24, edges: Iterable[Edge] | None = None) -> tuple[list[Neighbour], int]:
    """The entities one statement away, those with the most support first, and their total number.

    `edges`: its statements, where the caller has them already.
    """
    centre = entity.canonical_id or entity.pk
    by_other: dict[int, list[Edge]] = defaultdict(list)
    for edge in statements_of(entity) if edges is None else edges:
        if VALUE_TYPES & {edge.head.type, edge.tail.type}:
            continue
        by_other[edge.tail.pk if edge.head.pk == centre else edge.head.pk].append(edge)
    found = [
        Neighbour(edges[0].tail if edges[0].head.pk == centre else edges[0].head, tuple(edges))
        for edges in by_other.values()
    ]
    found.sort(key=lambda other: (-sum(edge.posts for edge in other.edges), other.entity.label))
    return found[:limit], len(found)


def with_ends(rows: QuerySet[Row], path: str = "") -> Any:
    """`rows` of Statement, or of a model with one at `path`, annotated with the entities that stand for its ends."""
    head = Coalesce(f"{path}head__canonical_id", f"{path}head_id")
    tail = Coalesce(f"{path}tail__canonical_id", f"{path}tail_id")
    symmetric = {f"{path}relation__in": SYMMETRIC}
    return rows.annotate(
        head_now=Case(When(**symmetric, then=Least(head, tail)), default=head),
        tail_now=Case(When(**symmetric, then=Greatest(head, tail)), default=tail),
    )


def overriding() -> QuerySet[Review]:
    """The reviews beside which what was extracted of their statement in their post is not active: they reject it,
    editors are divided on it, or they give it other qualifiers."""
    decides, disputed = Review.Outcome.DECIDES, Review.Outcome.DISPUTED
    rejecting = Q(outcome=decides, verdict=Review.Verdict.REJECT)
    own = Q(outcome=decides, verdict=Review.Verdict.ACCEPT, own=True, lost=False)
    return active_reviews().filter(rejecting | own | Q(outcome=disputed))


def _overriding_outer() -> QuerySet[Review]:
    """Those on the outer assertion's triple, by any statement row: a merge may give rows one triple."""
    rejecting = overriding().filter(
        post=OuterRef("reading__version__post"),
        statement__relation=OuterRef("relation"),
    )
    same = with_ends(rejecting, "statement__").filter(head_now=OuterRef("head_now"), tail_now=OuterRef("tail_now"))
    result: QuerySet[Review] = same.order_by()
    return result


@dataclass(slots=True)
class StatementSupport:
    """The support of statement rows, by their ids: the posts, the best assertion's score, the accepting reviews, and
    the strongest factuality."""

    posts: dict[int, set[int]] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    reviews: dict[int, list[int]] = field(default_factory=dict)
    factualities: dict[int, Factuality] = field(default_factory=dict)

    def find(self, rows: list[int]) -> None:
        """Add the support of these rows; a row without any gets no key in `posts`."""
        asserted = assertions().filter(statement__in=rows).order_by()
        grouped = asserted.values_list("statement", "reading__version__post", "factuality")
        for statement, post, factuality, score in grouped.annotate(best=Max("score")):
            self._add(statement, post, factuality)
            self.scores[statement] = max(score, self.scores.get(statement, 0.0))
        accepted = accepting().filter(statement__in=rows).order_by()
        for statement, post, factuality, review in accepted.values_list("statement", "post", "factuality", "pk"):
            self._add(statement, post, factuality)
            self.reviews.setdefault(statement, []).append(review)

    def _add(self, statement: int, post: int, factuality: Factuality) -> None:
        self.posts.setdefault(statement, set()).add(post)
        self.factualities[statement] = strongest((factuality, self.factualities.get(statement, factuality)))


def edges_of(rows: Iterable[Any]) -> list[Edge]:
    """The supported ones of statement rows `with_ends`, as edges: rows of one triple make one edge."""
    support, found = StatementSupport(), list(rows)
    support.find([row.pk for row in found])
    return _edges([row for row in found if row.pk in support.posts and row.head_now != row.tail_now], support)


def _edges(rows: Iterable[Any], support: StatementSupport) -> list[Edge]:
    """Supported statement rows with their ends as edges: rows of one triple make one edge."""
    grouped: dict[tuple[int, str, int], list[int]] = defaultdict(list)
    for row in rows:
        grouped[row.head_now, row.relation, row.tail_now].append(row.pk)
    ends = Entity.objects.in_bulk({end for head, _, tail in grouped for end in (head, tail)})
    return [
        Edge(
            head=ends[head],
            relation=relation,
            tail=ends[tail],
            statements=tuple(sorted(same)),
            posts=len(set().union(*(support.posts[pk] for pk in same))),
            score=max((support.scores[pk] for pk in same if pk in support.scores), default=None),
            reviews=tuple(review for pk in same for review in support.reviews.get(pk, ())),
            factuality=strongest(support.factualities[pk] for pk in same),
        )
        for (head, relation, tail), same in grouped.items()
    ]
