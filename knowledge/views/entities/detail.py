"""The page of an entity: its names, statements with quotes, posts, pictures, link, and a drawing of its neighbours."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.db.models import Count, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString

from extraction.labels import ENTITY_TYPES
from extraction.models import Post
from knowledge.entities import edits
from knowledge.linking.fact_comparison import StatementComparison, agreements
from knowledge.models import Assertion, Entity, EntityName, Review
from knowledge.ontology.values import VALUE_TYPES
from knowledge.ontology.vocabulary import entity_iri
from knowledge.record import current
from knowledge.record.current import Edge
from knowledge.recording import splits
from knowledge.recording.quotes import find
from knowledge.views.access import MERGE, READ, page
from knowledge.views.entities.index import with_pages
from knowledge.views.entities.links import shown_link
from knowledge.views.entities.merge_split import candidates, merged_into
from knowledge.views.entities.neighbour_graph import draw
from knowledge.views.posts.depictions import frames
from knowledge.views.posts.facts import ShownFact, repeated_facts_of
from knowledge.views.posts.highlight import quoted
from knowledge.views.qualifiers import (
    CLAIMANT,
    STATED,
    ShownQualifiers,
    denied_in,
    ends_of,
    label_of,
    qualifiers_of,
    reviewed_qualifiers,
)
from knowledge.views.review_states import NOT_REVIEWED, ShownReview, reviews_of

MOST_SOURCES = 3
MOST_PLACES = 9  # assertions of one statement; several may be in one post
MOST_STATEMENTS = 300
MOST_POSTS = 20
MOST_DRAWN = 24
# Only these columns are shown; whole rows are much larger, and there are hundreds of them.
_PLACES = ("reading__version__post", "head_mention", "tail_mention", "statement", CLAIMANT)
_REVIEWED = ("post__current_version", "post__current_reading__version", "claimant__canonical", "statement")
_PLACES_SHOWN = (
    "statement_id",
    "statement__public_id",
    "score",
    *("factuality", "when_words", "when_earliest", "when_latest", "amount_words", "amount_value", "amount_unit"),
    *(f"claimant__entity__{name}" for name in ("public_id", "label", "canonical__public_id", "canonical__label")),
    *(f"{mention}__{at}" for mention in ("head_mention", "tail_mention") for at in ("start", "end")),
    "reading__version__post_id",
    "reading__version__text",
    "reading__version__title_end",
    *(f"reading__version__post__{name}" for name in ("public_id", "link", "publisher", "published_at", "sample")),
)


@dataclass(frozen=True)
class SupportingPost:
    """A post that supports a statement, with a quote; without one where only an editor's acceptance supports it."""

    post: Post
    title: str
    quote: SafeString | None
    mention: int | None
    score: float | None
    qualifiers: ShownQualifiers = STATED
    statement: uuid.UUID | None = None  # the id that its place on the post's page has
    review: Review | None = None  # the verdict that decides there


@dataclass
class EntityStatement:
    """A statement of the entity: its other end, the posts that support it, and how many deny it."""

    edge: Edge
    other: Entity
    outward: bool
    denied: int
    sources: list[SupportingPost] = field(default_factory=list)
    agreement: StatementComparison | None = None
    review: ShownReview = NOT_REVIEWED
    repeated_fact: ShownFact | None = None  # a fact that the reader was shown and that the statement only repeats

    @property
    def other_label(self) -> str:
        return label_of(self.other)

    @property
    def unshown(self) -> int:
        return max(0, self.edge.posts - len(self.sources))


@dataclass
class Group:
    relation: str
    outward: bool
    statements: list[EntityStatement]


@page(READ)
def entity(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    entity = get_object_or_404(with_pages().select_related("canonical"), public_id=public_id)
    if entity.canonical:
        return redirect("entity", entity.canonical.public_id, permanent=False)
    edges = current.statements_of(entity)
    shown = edges[:MOST_STATEMENTS]
    neighbours, total = current.neighbours(entity, MOST_DRAWN, edges)
    members = current.members([entity.pk])
    posts, posts_total = _posts(members)
    names = _names(members)
    context = {
        "entity": entity,
        "names": [(name, language) for name, language in names if name != entity.label],
        "merged": merged_into(entity),
        "candidates": candidates(entity, [name for name, _ in names]) if request.user.has_perm(MERGE) else [],
        "splits": splits.active(entity),
        "edits": edits.active(entity),
        "types": [(key, one.label) for key, one in ENTITY_TYPES.items() if key not in VALUE_TYPES],
        "groups": _groups(entity, shown),
        "unshown": len(edges) - len(shown),
        "statements": len(edges),
        "drawing": draw(entity, neighbours) if neighbours else None,
        "undrawn": total - len(neighbours),
        "neighbours": total,
        "posts": posts,
        "posts_total": posts_total,
        "extracted_types": _extracted_types(members),
        "shown_link": shown_link(entity),
        "frames": frames(members),
        "iri": entity_iri(entity.public_id),
    }
    return render(request, "entities/detail.html", context)


def _names(members: Iterable[int]) -> list[tuple[str, str]]:
    """Each name once, with its language where one is known."""
    rows = EntityName.objects.filter(entity__in=members, hidden=False).order_by("pk").values_list("name", "language")
    return list(dict(reversed(list(rows))).items())[::-1]


def _extracted_types(members: Iterable[int]) -> list[tuple[str, int]]:
    rows = current.mentions().filter(entity__in=members).values_list("type").annotate(n=Count("pk")).order_by("-n")
    return list(rows)


def _posts(members: Iterable[int]) -> tuple[list[Post], int]:
    mentioned = current.mentions().filter(entity__in=members).values("reading")
    posts = Post.objects.filter(current_reading__in=mentioned, state=Post.State.LIVE)
    newest = posts.select_related("current_reading__version").order_by("-published_at", "-id")
    return list(newest[:MOST_POSTS]), posts.count()


def _groups(entity: Entity, edges: Sequence[Edge]) -> list[Group]:
    """The statements by relation and direction; the group with the best supported statement first."""
    sources, comparisons = _sources(edges), agreements(ends_of(edge) for edge in edges)
    denied, reviewed = denied_in(edges), reviews_of(edges)
    repeated = repeated_facts_of([pk for edge in edges for pk in edge.statements])
    grouped: dict[tuple[str, bool], list[EntityStatement]] = defaultdict(list)
    for edge in edges:
        outward = edge.head.pk == entity.pk or edge.relation in current.SYMMETRIC
        other = edge.tail if edge.head.pk == entity.pk else edge.head
        supporting = [source for pk in edge.statements for source in sources.get(pk, [])]
        fact = next((repeated[pk] for pk in edge.statements if pk in repeated), None)
        ends = ends_of(edge)
        posts = _supporting_posts(supporting, reviewed[ends].by_post)
        compared = comparisons[ends]
        statement = EntityStatement(edge, other, outward, denied[ends], posts, compared, reviewed[ends], fact)
        grouped[edge.relation, outward].append(statement)
    return [Group(relation, outward, statements) for (relation, outward), statements in grouped.items()]


def _sources(edges: Sequence[Edge]) -> dict[int, list[Assertion | Review]]:
    """For each statement some of its assertions and accepting reviews, the newest first; it can have thousands."""
    rows = [pk for edge in edges for pk in edge.statements]
    sources: dict[int, list[Assertion | Review]] = defaultdict(list)
    newest_first = ("-asserted_at", "-score", "pk")
    place = Window(RowNumber(), partition_by="statement", order_by=newest_first)
    newest = current.assertions().filter(statement__in=rows).annotate(place=place).filter(place__lte=MOST_PLACES)
    asserted = Assertion.objects.filter(pk__in=[row.pk for row in newest.only("pk")])
    for row in asserted.select_related(*_PLACES).only(*_PLACES_SHOWN).order_by(*newest_first):
        sources[row.statement_id].append(row)
    reviews = [pk for edge in edges for pk in edge.reviews]
    for review in Review.objects.filter(pk__in=reviews).select_related(*_REVIEWED) if reviews else ():
        sources[review.statement_id].append(review)
    return sources


def _supporting_posts(sources: Iterable[Assertion | Review], verdicts: Mapping[int, Review]) -> list[SupportingPost]:
    """The first source of each post, up to the number that is shown."""
    by_post: dict[int, Assertion | Review] = {}
    for one in sources:
        by_post.setdefault(one.post_id if isinstance(one, Review) else one.reading.version.post_id, one)
    shown = list(by_post.values())[:MOST_SOURCES]
    found = [_accepted(one) if isinstance(one, Review) else _quoted(one) for one in shown]
    return [replace(one, review=verdicts.get(one.post.pk)) for one in found]


def _quoted(row: Assertion) -> SupportingPost:
    version = row.reading.version
    ends = [(m.start, m.end) for m in (row.head_mention, row.tail_mention)]
    quote = quoted(version.text, ends)
    return SupportingPost(
        version.post, version.title, quote, row.head_mention_id, row.score, qualifiers_of(row), row.statement.public_id
    )


def _accepted(review: Review) -> SupportingPost:
    version = review.post.current_version
    title = version.title if version else review.post.link
    given = reviewed_qualifiers(review) if review.own else ShownQualifiers(review.factuality)  # type: ignore[arg-type]
    return SupportingPost(review.post, title, _words(review), None, None, given, review.statement.public_id)


def _words(review: Review) -> SafeString | None:
    """The reviewed words in the text that is analysed now."""
    text = review.post.current_reading.version.text if review.post.current_reading else ""
    places = [(find(text, quote), len(quote["exact"])) for quote in review.quotes.values()]
    ends = [(place, place + length) for place, length in places if place is not None]
    return quoted(text, ends) if len(ends) == 2 else None
