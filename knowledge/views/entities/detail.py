"""One entity: its names, what is stated about it with the words that say so, its posts, and its neighbours drawn."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString

from extraction.models import Post
from knowledge.linking.fact_comparison import StatementComparison, agreements
from knowledge.models import Assertion, Entity, EntityName, Review
from knowledge.ontology.vocabulary import entity_iri
from knowledge.record import current
from knowledge.record.current import Edge
from knowledge.recording import splits
from knowledge.views.access import MERGE, READ, page
from knowledge.views.entities.links import elsewhere
from knowledge.views.entities.merge_split import candidates, merged_into
from knowledge.views.entities.neighbour_graph import draw
from knowledge.views.posts.depictions import frames
from knowledge.views.posts.facts import ShownFact, echoing
from knowledge.views.posts.highlight import quoted

MOST_SOURCES = 3
MOST_PLACES = 9  # of one statement; several may be in one post
MOST_STATEMENTS = 300
MOST_POSTS = 20
MOST_DRAWN = 24
# What an assertion is shown by; its rows hold much more, and there are hundreds of them.
_PLACES = ("reading__version__post", "head_mention", "tail_mention")
_PLACES_SHOWN = (
    "statement_id",
    "score",
    *(f"{mention}__{at}" for mention in ("head_mention", "tail_mention") for at in ("start", "end")),
    "reading__version__post_id",
    "reading__version__text",
    "reading__version__title_end",
    *(f"reading__version__post__{name}" for name in ("public_id", "link", "publisher", "published_at", "sample")),
)


@dataclass(frozen=True)
class SupportingPost:
    """A post that supports a statement, with its words; without where only an editor's acceptance does."""

    post: Post
    title: str
    quote: SafeString | None
    mention: int | None
    score: float | None


@dataclass
class EntityStatement:
    """A statement seen from the entity: the other end, and where it comes from."""

    edge: Edge
    other: Entity
    outward: bool
    sources: list[SupportingPost] = field(default_factory=list)
    agreement: StatementComparison | None = None
    echo: ShownFact | None = None  # a fact that its reader was shown and that it merely says again

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
    found = get_object_or_404(Entity.objects.select_related("canonical"), public_id=public_id)
    if found.canonical:
        return redirect("entity", found.canonical.public_id, permanent=False)
    edges = current.statements_of(found)
    shown = edges[:MOST_STATEMENTS]
    neighbours, total = current.neighbours(found, MOST_DRAWN, edges)
    members = current.members([found.pk])
    posts, posts_total = _posts(members)
    names = _names(members)
    context = {
        "entity": found,
        "names": [(name, language) for name, language in names if name != found.label],
        "merged": merged_into(found),
        "candidates": candidates(found, [name for name, _ in names]) if request.user.has_perm(MERGE) else [],
        "splits": splits.in_force(found),
        "groups": _groups(found, shown),
        "unshown": len(edges) - len(shown),
        "statements": len(edges),
        "drawing": draw(found, neighbours) if neighbours else None,
        "undrawn": total - len(neighbours),
        "neighbours": total,
        "posts": posts,
        "posts_total": posts_total,
        "types_read": _types_read(members),
        "elsewhere": elsewhere(found),
        "frames": frames(members),
        "iri": entity_iri(found.public_id),
    }
    return render(request, "entities/detail.html", context)


def _names(members: Iterable[int]) -> list[tuple[str, str]]:
    """Each name once, with its language where one is known."""
    rows = EntityName.objects.filter(entity__in=members).order_by("pk").values_list("name", "language")
    return list(dict(reversed(list(rows))).items())[::-1]


def _types_read(members: Iterable[int]) -> list[tuple[str, int]]:
    rows = current.mentions().filter(entity__in=members).values_list("type").annotate(n=Count("pk")).order_by("-n")
    return list(rows)


def _posts(members: Iterable[int]) -> tuple[list[Post], int]:
    mentioned = current.mentions().filter(entity__in=members).values("reading")
    found = Post.objects.filter(current_reading__in=mentioned, state=Post.State.LIVE)
    newest = found.select_related("current_reading__version").order_by("-published_at", "-id")
    return list(newest[:MOST_POSTS]), found.count()


def _groups(entity: Entity, edges: Sequence[Edge]) -> list[Group]:
    """The statements by relation and direction, in the order of their best supported one."""
    sources, known = _sources(edges), agreements(_ends(edge) for edge in edges)
    echoes = echoing([pk for edge in edges for pk in edge.statements])
    grouped: dict[tuple[str, bool], list[EntityStatement]] = defaultdict(list)
    for edge in edges:
        outward = edge.head.pk == entity.pk or edge.relation in current.SYMMETRIC
        other = edge.tail if edge.head.pk == entity.pk else edge.head
        said = [source for pk in edge.statements for source in sources.get(pk, [])]
        echo = next((echoes[pk] for pk in edge.statements if pk in echoes), None)
        stated = EntityStatement(edge, other, outward, _once_a_post(said), known[_ends(edge)], echo)
        grouped[edge.relation, outward].append(stated)
    return [Group(relation, outward, said) for (relation, outward), said in grouped.items()]


def _ends(edge: Edge) -> tuple[int, str, int]:
    return edge.head.pk, edge.relation, edge.tail.pk


def _sources(edges: Sequence[Edge]) -> dict[int, list[Assertion | Review]]:
    """Of each statement's row: some of the posts that support it, the newest first. A statement may have thousands."""
    rows = [pk for edge in edges for pk in edge.statements]
    found: dict[int, list[Assertion | Review]] = defaultdict(list)
    newest_first = ("-asserted_at", "-score", "pk")
    place = Window(RowNumber(), partition_by="statement", order_by=newest_first)
    newest = current.assertions().filter(statement__in=rows).annotate(place=place).filter(place__lte=MOST_PLACES)
    asserted = Assertion.objects.filter(pk__in=[row.pk for row in newest.only("pk")])
    for row in asserted.select_related(*_PLACES).only(*_PLACES_SHOWN).order_by(*newest_first):
        found[row.statement_id].append(row)
    reviews = [pk for edge in edges for pk in edge.reviews]
    for review in Review.objects.filter(pk__in=reviews).select_related("post__current_version") if reviews else ():
        found[review.statement_id].append(review)
    return found


def _once_a_post(said: Iterable[Assertion | Review]) -> list[SupportingPost]:
    """The first of each post, as far as they are shown."""
    once: dict[int, Assertion | Review] = {}
    for one in said:
        once.setdefault(one.post_id if isinstance(one, Review) else one.reading.version.post_id, one)
    return [_upheld(one) if isinstance(one, Review) else _quoting(one) for one in list(once.values())[:MOST_SOURCES]]


def _quoting(row: Assertion) -> SupportingPost:
    version = row.reading.version
    ends = [(m.start, m.end) for m in (row.head_mention, row.tail_mention)]
    return SupportingPost(version.post, version.title, quoted(version.text, ends), row.head_mention_id, row.score)


def _upheld(review: Review) -> SupportingPost:
    version = review.post.current_version
    return SupportingPost(review.post, version.title if version else review.post.link, None, None, None)
