"""Statements: the list by head, tail, relation, post and comparison, and one statement with its support."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import Query, Router

from extraction.labels import RELATIONS
from extraction.models import PostVersion
from knowledge.api import schemas
from knowledge.api.auth import Token
from knowledge.api.pagination import bad_key, refuse_unknown
from knowledge.api.problems import RequestProblem, not_found
from knowledge.api.serializers import qualifiers, relation, statement_end
from knowledge.linking import fact_comparison
from knowledge.models import Assertion, Entity, Review, Statement
from knowledge.record import current
from knowledge.record.current import Edge
from knowledge.views.qualifiers import CLAIMANT, Ends, denials_of, denied_in, ends_of
from knowledge.views.review_states import ShownReview, reviews_of

router = Router(tags=["statements"])

AT_ONCE = 200
MOST_EXAMINED = 2000  # rows for one page: some have no support any more, and `standing` is computed, not a column
MOST_SUPPORT = 200
Row = Any  # a Statement with head_now and tail_now


@router.get("", auth=Token("read"), response=schemas.Statements, summary="List statements")
def list_statements(request: HttpRequest, filters: Query[schemas.StatementFilter]) -> Any:
    """The statements of the graph, in the order in which they were first extracted; merged entities are one."""
    refuse_unknown(request, schemas.StatementFilter)
    if filters.relation and filters.relation not in RELATIONS:
        raise RequestProblem(422, f"There is no relation {filters.relation!r}; /api/v1/vocabulary lists them.")
    rows = _filtered(filters)
    after = _number(filters.after)
    items: list[dict[str, Any]] = []
    examined, more = 0, True
    # Rows first, then their support: in a single query, databases search the support of all statements.
    while more and len(items) < filters.limit and examined < MOST_EXAMINED:
        batch = list(rows.filter(pk__gt=after).order_by("pk")[: AT_ONCE + 1])
        batch, more = batch[:AT_ONCE], len(batch) > AT_ONCE
        examined += len(batch)
        for pk, item in _items(batch):
            if item and _is_wanted(item, filters):
                items.append(item)
            after = pk
            if len(items) == filters.limit:
                more = more or pk != batch[-1].pk
                break
    return {"items": items, "next": str(after) if more else None}


def _filtered(filters: schemas.StatementFilter) -> QuerySet[Any]:
    rows: QuerySet[Any] = current.with_ends(Statement.objects.all())
    if filters.relation:
        rows = rows.filter(relation=filters.relation)
    if filters.entity:
        ids = _ids(filters.entity)
        rows = rows.filter(Q(head__in=ids) | Q(tail__in=ids))
    if filters.head:
        rows = rows.filter(_at_end("head", _ids(filters.head)))
    if filters.tail:
        rows = rows.filter(_at_end("tail", _ids(filters.tail)))
    if filters.post:
        asserted = current.assertions().filter(reading__current_of__public_id=filters.post).order_by()
        accepted = current.accepting().filter(post__public_id=filters.post).order_by()
        rows = rows.filter(Q(pk__in=asserted.values("statement")) | Q(pk__in=accepted.values("statement")))
    return rows


def _is_wanted(item: dict[str, Any], filters: schemas.StatementFilter) -> bool:
    given = (
        item["denied"] > 0 if filters.factuality == current.DENIED else filters.factuality in (None, item["factuality"])
    )
    return given and filters.standing in (None, item["standing"]["standing"])


def _at_end(end: str, ids: list[int]) -> Q:
    """The condition for one end; symmetric relations have no direction, so either end matches."""
    other = {"head": "tail", "tail": "head"}[end]
    return Q(**{f"{end}__in": ids}) | Q(**{f"{other}__in": ids}, relation__in=current.SYMMETRIC)


def _ids(public_id: UUID) -> list[int]:
    """The rows of an entity and of those merged with it; none for an unknown id."""
    row = Entity.objects.filter(public_id=public_id).values_list("pk", "canonical").first()
    return list(current.members([row[1] or row[0]])) if row else []


def _number(after: str) -> int:
    if not after:
        return 0
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise bad_key()
    return int(after)


def _items(rows: Sequence[Row]) -> Iterable[tuple[int, dict[str, Any] | None]]:
    """The key of each row, and its statement; None where an earlier row has the same triple."""
    edges = {edge.statements[0]: edge for edge in current.edges_of(_whole(rows))}
    standing = fact_comparison.agreements(ends_of(edge) for edge in edges.values())
    denied, reviewed = denied_in(edges.values()), reviews_of(edges.values())
    ids = dict(Statement.objects.filter(pk__in=list(edges)).values_list("pk", "public_id"))
    for row in rows:
        edge = edges.get(row.pk)
        yield row.pk, _statement(edge, ids[row.pk], standing, denied, reviewed) if edge else None


def _whole(rows: Sequence[Row]) -> list[Row]:
    """The rows, and those with the same triples through merged entities: a statement has the support of all of them."""
    ends = {end for row in rows for end in (row.head_now, row.tail_now)}
    merged = set(Entity.objects.filter(canonical__in=ends).values_list("canonical", flat=True))
    triples = {(r.head_now, r.relation, r.tail_now) for r in rows if {r.head_now, r.tail_now} & merged}
    if not triples:
        return list(rows)
    members: dict[int, list[int]] = {}
    for pk, survivor in current.members({end for head, _, tail in triples for end in (head, tail)}).items():
        members.setdefault(survivor, []).append(pk)
    same = Q()
    for head, key, tail in triples:
        one, other = members[head], members[tail]
        same |= Q(head__in=one, relation=key, tail__in=other)
        if key in current.SYMMETRIC:
            same |= Q(head__in=other, relation=key, tail__in=one)
    whole = {row.pk: row for row in (*rows, *current.with_ends(Statement.objects.filter(same)))}
    return list(whole.values())


def _statement(
    edge: Edge,
    public_id: UUID,
    standing: Mapping[Ends, fact_comparison.StatementComparison],
    denied: Mapping[Ends, int],
    reviewed: Mapping[Ends, ShownReview],
) -> dict[str, Any]:
    ends = ends_of(edge)
    agreement, review = standing[ends], reviewed[ends]
    return {
        "id": public_id,
        "head": statement_end(edge.head),
        "relation": relation(edge.relation),
        "tail": statement_end(edge.tail),
        "factuality": edge.factuality,
        "denied": denied[ends],
        "posts": edge.posts,
        "score": edge.score,
        "standing": {"standing": agreement.standing, "source": agreement.source, "fact": agreement.fact},
        "review_state": review.state,
        "reviewed_by": list(review.by),
        "reviewed_at": review.at,
    }


@router.get("/{uuid:statement_id}", auth=Token("read"), response=schemas.StatementShown, summary="One statement")
def show_statement(request: HttpRequest, statement_id: UUID) -> Any:
    """A statement with the posts and the words that support it. 404 also for one without support."""
    row = current.with_ends(Statement.objects.filter(public_id=statement_id)).first()
    edge = next(iter(current.edges_of(_whole([row]))), None) if row else None
    if edge is None:
        raise not_found("statement")
    compared = fact_comparison.agreements([ends_of(edge)])
    shown = _statement(edge, row.public_id, compared, denied_in([edge]), reviews_of([edge]))
    return {**shown, "support": _support(edge), "against": _against(edge)}


def _against(edge: Edge) -> list[dict[str, Any]]:
    return [_asserted(row) | {"review": None} for row in _newest(denials_of(edge))]


def _newest(rows: QuerySet[Assertion]) -> list[Assertion]:
    """With all that is shown of them; whole rows are large, so the newest are chosen first."""
    newest_first = ("-asserted_at", "-score", "pk")
    keys = list(rows.order_by(*newest_first).values_list("pk", flat=True)[:MOST_SUPPORT])
    whole = Assertion.objects.filter(pk__in=keys).select_related(
        "reading__version__post", "reading__checkpoint", "head_mention", "tail_mention", CLAIMANT
    )
    return list(whole.order_by(*newest_first))


def _support(edge: Edge) -> list[dict[str, Any]]:
    rows = _newest(current.assertions().filter(statement__in=edge.statements))
    accepted = {
        (review.post_id, review.statement_id): review
        for review in current.accepting().filter(statement__in=edge.statements).select_related("post__current_version")
    }
    support = []
    for row in rows:
        review = accepted.get((row.reading.version.post_id, row.statement_id))
        support.append(_asserted(row) | {"review": review.verdict if review else None})
    asserted = {(row.reading.version.post_id, row.statement_id) for row in rows}
    support += [_accepted(review) for key, review in accepted.items() if key not in asserted]
    return support[:MOST_SUPPORT]


def _of_post(version: PostVersion | None, post: Any) -> dict[str, Any]:
    title = version.title if version else ""
    return {"post": post.public_id, "title": title, "link": post.link, "published": post.published_at}


def _asserted(row: Assertion) -> dict[str, Any]:
    version = row.reading.version
    return {
        **_of_post(version, version.post),
        "version": version.ordinal,
        "checkpoint": row.reading.checkpoint.name,
        "score": row.score,
        "score_without_image": row.score_without_image,
        **qualifiers(row),
        **{
            end: {"text": version.text[m.start : m.end], "type": m.type, "start": m.start, "end": m.end}
            for end, m in (("head", row.head_mention), ("tail", row.tail_mention))
        },
    }


def _accepted(review: Review) -> dict[str, Any]:
    quintuple = review.quintuple
    return {
        **_of_post(review.post.current_version, review.post),
        "version": None,
        "checkpoint": None,
        "score": None,
        "score_without_image": None,
        **{"factuality": review.factuality, "claimant": None, "when": None, "amount": None},
        **{
            end: {"text": quintuple[end], "type": quintuple[f"{end}_type"], "start": None, "end": None}
            for end in ("head", "tail")
        },
        "review": review.verdict,
    }
