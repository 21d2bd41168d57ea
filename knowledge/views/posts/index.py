"""The list of posts, searched and filtered, with the numbers of mentions and statements of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.models import Deployment, Feed, Post, PostImage, Reading, Sighting
from extraction.posts import search
from extraction.readings.reading_requests import WAITING
from extraction.schema import FACTUALITIES, Factuality
from knowledge.entities.names import name_key
from knowledge.models import Mention
from knowledge.ontology import relation_names
from knowledge.record import current
from knowledge.views import pagination
from knowledge.views.access import READ, page
from knowledge.views.filters import ignored
from knowledge.views.posts.progress import PostProgress, deployed, progress_of

MOST_COUNTED = 10_000
MOST_PUBLISHERS = 300
EXCERPT = 230

StatedHow = tuple[str, Factuality]
"""A relation, and how the post gives it."""
_WORD = re.compile(r"\w+")


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(text)
    return moment


KEY = pagination.Key(fields=("published_at", "id"), descending=True, parse=(_moment, int))


class PostFilters(forms.Form):
    """The filters of the list. An invalid value shows an error and filters nothing."""

    q = forms.CharField(required=False, max_length=search.LONGEST_QUERY, label="Search")
    feed = forms.ModelChoiceField(Feed.objects.order_by("title", "url"), required=False, empty_label="Any feed")
    publisher = forms.ChoiceField(required=False)
    type = forms.ChoiceField(
        required=False,
        label="Mentions",
        choices=[("", "Any entity type"), *((t.key, t.label) for t in ENTITY_TYPES.values())],
    )
    relation = forms.ChoiceField(
        required=False,
        label="Relation",
        choices=[
            ("", "Any relation"),
            *sorted(((key, relation_names.label(key)) for key in RELATIONS), key=lambda c: c[1]),
        ],
    )
    factuality = forms.ChoiceField(
        required=False,
        label="Given as",
        choices=[("", "Any factuality"), *((one, one.capitalize()) for one in FACTUALITIES)],
    )
    state = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Live posts"),
            ("waiting", "Queued"),
            ("declined", "Declined"),
            ("failed", "Failed"),
            ("withdrawn", "Withdrawn"),
            ("all", "All states"),
        ],
    )
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="Until", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        names = Post.objects.exclude(publisher="").order_by("publisher").values_list("publisher", flat=True).distinct()
        self.fields["publisher"] = forms.ChoiceField(
            required=False, choices=[("", "Any publisher"), *((n, n) for n in names[:MOST_PUBLISHERS])]
        )


@dataclass
class PostListItem:
    post: Post
    title: str
    excerpt: SafeString
    progress: PostProgress
    image: PostImage | None = None
    mentions: int = 0
    statements: int = 0
    relations: list[tuple[str, Factuality]] = field(default_factory=list)


@page(READ)
def posts(request: HttpRequest) -> HttpResponse:
    form = PostFilters(request.GET)
    form.is_valid()
    filters = {name: value for name, value in getattr(form, "cleaned_data", {}).items() if value}
    matching = filtered(filters)
    row_page = pagination.page(with_parts(matching), KEY, request.GET)
    context = {
        "form": form,
        "ignored": ignored(form),
        "rows": rows(row_page.rows, filters.get("q", "")),
        "page": row_page,
        "count": matching[: MOST_COUNTED + 1].count(),
        "most": MOST_COUNTED,
        "filtered": bool(filters),
        "unread": not Deployment.objects.filter(active=True).exists(),
        "narrowed": bool(filters.keys() - {"q"}),
        "feeds": Feed.objects.exists() if not row_page.rows else True,
        "waiting": not row_page.rows and Post.objects.filter(current_version__isnull=True).exists(),
    }
    return render(request, "posts/index.html", context)


def filtered(filters: dict[str, Any]) -> QuerySet[Post]:
    """The posts that match `filters`: the cleaned values of the form, without empty ones."""
    posts = search.search(str(filters.get("q", "")))
    state = str(filters.get("state", ""))
    posts = _in_state(posts, state)
    if feed := filters.get("feed"):
        posts = posts.filter(Exists(Sighting.objects.filter(post=OuterRef("pk"), feed=feed)))
    if publisher := filters.get("publisher"):
        posts = posts.filter(publisher=publisher)
    if entity_type := filters.get("type"):
        mentions = Mention.objects.filter(reading=OuterRef("current_reading"), type=entity_type)
        posts = posts.filter(Exists(mentions))
    relation, factuality = filters.get("relation"), filters.get("factuality")
    if relation or factuality:
        posts = posts.filter(_stating(relation, factuality))
    if since := filters.get("since"):
        posts = posts.filter(published_at__gte=datetime.combine(since, time(), UTC))
    if until := filters.get("until"):
        posts = posts.filter(published_at__lt=datetime.combine(until, time(), UTC) + timedelta(days=1))
    return posts


def _stating(relation: str | None, factuality: str | None) -> Q:
    """Whether a post has a statement of that relation given that way, both in one; `denied`: whether it denies one."""
    sought = current.denials() if factuality == current.DENIED else current.assertions()
    asserted = sought.filter(reading=OuterRef("current_reading"))
    accepted = current.accepting().filter(post=OuterRef("pk"))
    if relation:
        asserted, accepted = asserted.filter(relation=relation), accepted.filter(statement__relation=relation)
    if factuality:
        asserted, accepted = asserted.filter(factuality=factuality), accepted.filter(factuality=factuality)
    return Q(Exists(asserted)) | Q(Exists(accepted))


def _in_state(posts: QuerySet[Post], state: str) -> QuerySet[Post]:
    if state == "all":
        return posts.exclude(state=Post.State.ERASED)
    if state == "withdrawn":
        return posts.filter(state=Post.State.WITHDRAWN)
    posts = posts.filter(state=Post.State.LIVE)
    if state in ("declined", "failed"):
        return posts.filter(_newest_reading(state))
    if state == "waiting":
        read = Q(current_reading__isnull=False, current_reading__version=F("current_version"))
        return posts.filter(_newest_reading(*WAITING) | ~read & ~_newest_reading(*_SETTLED))
    return posts


_SETTLED = (Reading.Stage.DONE, Reading.Stage.DECLINED, Reading.Stage.FAILED)


def _newest_reading(*stages: str) -> Exists:
    """Whether the deployed checkpoint's reading of the current version is at one of `stages`."""
    deployed = Deployment.objects.filter(active=True).values("checkpoint")
    readings = Reading.objects.filter(version=OuterRef("current_version"), checkpoint__in=deployed, stage__in=stages)
    return Exists(readings)


def with_parts(posts: QuerySet[Post]) -> QuerySet[Post]:
    """Prefetch everything that a row of the list shows, in a fixed number of queries."""
    return posts.select_related("current_version", "current_reading").prefetch_related(
        Prefetch("images", PostImage.objects.exclude(file="").order_by("position", "id")),
        Prefetch("sightings", Sighting.objects.select_related("feed").defer("text").order_by("id")),
        Prefetch("current_version__readings", Reading.objects.select_related("checkpoint").defer("results")),
    )


def rows(posts: list[Post], query: str) -> list[PostListItem]:
    """Posts (from `with_parts`) with the numbers of their mentions and statements."""
    readings = [post.current_reading_id for post in posts if post.current_reading_id]
    mentions = dict(
        Mention.objects.filter(reading__in=readings).values_list("reading").annotate(n=Count("pk")).order_by()
    )
    statements: dict[int, dict[int, StatedHow]] = {}
    asserted = current.assertions().filter(reading__in=readings).order_by()
    accepted = current.accepting().filter(post__in=posts).order_by()
    for reading, statement, relation, factuality in (
        *asserted.values_list("reading", "statement", "relation", "factuality"),
        *accepted.values_list("post__current_reading", "statement", "statement__relation", "factuality"),
    ):
        known = statements.setdefault(reading, {})
        earlier = known[statement][1] if statement in known else factuality
        known[statement] = relation, current.strongest([factuality, earlier])
    production = deployed()
    return [
        _row(post, query, progress_of(post, production), mentions, statements.get(post.current_reading_id or 0, {}))
        for post in posts
    ]


def _row(
    post: Post, query: str, progress: PostProgress, mentions: dict[int, int], statements: dict[int, StatedHow]
) -> PostListItem:
    version = post.current_version
    sightings = list(post.sightings.all())
    title = version.title if version else next((s.title for s in sightings if s.title), "")
    images = list(post.images.all())
    return PostListItem(
        post=post,
        title=title or post.link,
        excerpt=excerpt(version.body if version else "", query),
        progress=progress,
        image=images[0] if images else None,
        mentions=mentions.get(post.current_reading_id or 0, 0),
        statements=len(statements),
        relations=sorted(set(statements.values())),
    )


def excerpt(body: str, query: str) -> SafeString:
    """The beginning of the body, or the part around the first match, with the matches marked."""
    sought = [name_key(term.words) for term in search.terms(query) if not term.excluded]
    beginnings = tuple(words.split(" ")[0] for words in sought if words)
    hits = [m.span() for m in _WORD.finditer(body) if name_key(m.group()).startswith(beginnings)] if beginnings else []
    start = 0
    if hits and hits[0][1] > EXCERPT:
        start = body.rfind(" ", 0, max(0, hits[0][0] - EXCERPT // 3)) + 1
    end = min(len(body), start + EXCERPT)
    if end < len(body):
        end = max(body.rfind(" ", start, end), start + EXCERPT // 2)
    parts, at = [], start
    for left, right in hits:
        if left >= start and right <= end:
            parts += [body[at:left], format_html("<mark>{}</mark>", body[left:right])]
            at = right
    parts.append(body[at:end])
    text = format_html_join("", "{}", ((part,) for part in parts))
    return format_html("{}{}{}", "… " if start else "", text, " …" if end < len(body) else "")
