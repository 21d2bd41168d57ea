"""The list of feeds with their health: by folder, sorted, with changes to several at once; and removing the samples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Case, Count, F, IntegerField, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST

from extraction.feeds import removal, subscriptions
from extraction.models import Feed, Sighting
from extraction.text.cleaning import clean
from kgbuilder.celery import ring, ring_projectors
from knowledge.record import audit_log, projection_queue
from knowledge.recording.erasure import remove_samples
from knowledge.views import pagination
from knowledge.views.access import CHANGE_FEED, DELETE_FEED, SEE_FEEDS, page, referring_page

LONGEST_FOLDER = 100
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
ALL_FOLDERS, NO_FOLDER = "", "-"


def _moment(text: str) -> datetime:
    found = parse_datetime(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    return found


@dataclass(frozen=True)
class SortOrder:
    label: str
    key: pagination.Key


SORTS = {
    "title": SortOrder("Name", pagination.Key(("title", "id"), descending=False, parse=(str, int))),
    "state": SortOrder("Failing first", pagination.Key(("trouble", "id"), descending=True, parse=(int, int))),
    "posts": SortOrder("Most posts", pagination.Key(("posts", "id"), descending=True, parse=(int, int))),
    "new": SortOrder("Newest post", pagination.Key(("newest", "id"), descending=True, parse=(_moment, int))),
    "polled": SortOrder("Longest not polled", pagination.Key(("polled", "id"), descending=False, parse=(_moment, int))),
    "added": SortOrder("Last added", pagination.Key(("id",), descending=True, parse=(int,))),
}


@dataclass(frozen=True)
class Health:
    code: str
    label: str


@dataclass(frozen=True)
class FeedListItem:
    feed: Feed
    health: Health
    posts: int


def health_of(feed: Feed) -> Health:
    if feed.deleted_at is not None:
        return Health("gone", "Deleted")
    if feed.state == Feed.State.GONE:
        return Health("gone", "Gone")
    if feed.state == Feed.State.PAUSED:
        return Health("paused", "Paused")
    if feed.state == Feed.State.SENT:
        return Health("good", "Sent through the API")
    if feed.failures:
        return Health("failed", f"Failed {feed.failures}×")
    if feed.polled_at is None:
        return Health("waiting", "Not polled yet")
    return Health("good", "OK")


@page(SEE_FEEDS)
def feeds(request: HttpRequest) -> HttpResponse:
    return shown(request)


def shown(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    """The list, with `more` for its template: an address to correct, and what is wrong with it."""
    folder, sort = request.GET.get("folder", ALL_FOLDERS), request.GET.get("sort", "title")
    sort = sort if sort in SORTS else "title"
    feed_page = pagination.page(_with_keys(_in_folder(folder)), SORTS[sort].key, request.GET, size=100)
    context = {
        "rows": [FeedListItem(feed, health_of(feed), feed.posts) for feed in feed_page.rows],
        "page": feed_page,
        "folders": _folders(),
        "folder": folder,
        "sorts": [(key, order.label) for key, order in SORTS.items()],
        "sort": sort,
        "any": bool(feed_page.rows) or subscriptions.listed().exists(),
        "deleted": Feed.objects.filter(deleted_at__isnull=False).order_by("-deleted_at")[:50],
        "samples": subscriptions.listed().filter(sample=True).exists(),
        "address": request.GET.get("address", ""),
    }
    return render(request, "feeds/index.html", context | more, status=status)


def _in_folder(folder: str) -> QuerySet[Feed]:
    rows = subscriptions.listed()
    if folder == ALL_FOLDERS:
        return rows
    return rows.filter(folder="" if folder == NO_FOLDER else folder)


def _with_keys(rows: QuerySet[Feed]) -> Any:
    """The feeds with what they are sorted by: `posts`, `trouble`, `newest` and `polled`."""
    counted = Sighting.objects.filter(feed=OuterRef("pk")).order_by().values("feed")
    posts = Subquery(counted.annotate(n=Count("post", distinct=True)).values("n"))
    trouble = Case(
        When(state=Feed.State.GONE, then=Value(1_000_000)),
        When(state=Feed.State.PAUSED, then=Value(-1)),
        default=F("failures"),
        output_field=IntegerField(),
    )
    return rows.annotate(
        posts=Coalesce(posts, 0),
        trouble=trouble,
        newest=Coalesce("new_at", Value(NEVER)),
        polled=Coalesce("polled_at", Value(NEVER)),
    )


def _folders() -> list[tuple[str, str, int]]:
    """Each folder as its value in the address, its name and its number of feeds; none while no feed is in one."""
    counts = subscriptions.listed().values_list("folder").annotate(n=Count("pk")).order_by("folder")
    found = [(name or NO_FOLDER, name or "No folder", n) for name, n in counts]
    return found if any(value != NO_FOLDER for value, _, _ in found) else []


def folder_name(text: str) -> str:
    """What a person typed as the name of a folder, on one line."""
    name = " ".join(clean(text).split())[:LONGEST_FOLDER]
    return "" if name == NO_FOLDER else name


@page(CHANGE_FEED)
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Poll, pause, move or delete the selected feeds."""
    ids = [int(one) for one in request.POST.getlist("feed") if one.isdecimal() and len(one) < 18]
    rows = list(subscriptions.listed().filter(pk__in=ids).order_by("pk"))
    action, back = request.POST.get("do", ""), referring_page(request, "/feeds/")
    if not rows:
        messages.error(request, "Select the feeds first.")
    elif action == "delete" and not request.user.has_perm(DELETE_FEED):
        messages.error(request, "Only admins can remove feeds and samples.")
    elif action in BULK:
        with transaction.atomic():
            done = BULK[action](request, rows)
        messages.success(request, f"{len(rows)} feed{'' if len(rows) == 1 else 's'} {done}")
    else:
        messages.error(request, "Selected feeds can be polled, paused, moved to a folder or deleted.")
    return redirect(back)


def _poll(request: HttpRequest, rows: list[Feed]) -> str:
    for feed in rows:
        subscriptions.retry(feed)
        audit_log.note(request.user, "feed retry", str(feed.pk), feed.state, Feed.State.ACTIVE)
    transaction.on_commit(lambda: ring("poll"))
    return "will be polled now."


def _pause(request: HttpRequest, rows: list[Feed]) -> str:
    for feed in rows:
        subscriptions.pause(feed)
        audit_log.note(request.user, "feed pause", str(feed.pk), feed.state, Feed.State.PAUSED)
    return "paused. Their posts are kept."


def _move(request: HttpRequest, rows: list[Feed]) -> str:
    folder = folder_name(request.POST.get("folder", ""))
    for feed in rows:
        Feed.objects.filter(pk=feed.pk).update(folder=folder)
        audit_log.note(request.user, "feed changed", str(feed.pk), {"folder": feed.folder}, {"folder": folder})
    return f"moved to {folder}." if folder else "taken out of their folders."


def _delete(request: HttpRequest, rows: list[Feed]) -> str:
    """Their posts are kept; a feed's own page offers to withdraw them."""
    for feed in rows:
        removal.delete(feed, projection_queue.mark_posts, withdraw_posts=False)
        audit_log.note(request.user, "feed deleted", str(feed.pk), None, {"withdrawn": 0})
    return "deleted. Their posts are kept. “Deleted feeds” below can restore them."


BULK = {"poll": _poll, "pause": _pause, "move": _move, "delete": _delete}


@page(DELETE_FEED)
def samples_remove(request: HttpRequest) -> HttpResponse:
    """Delete the samples from the record, once it has been confirmed; the projectors then update the graph."""
    if request.method != "POST":
        feed = Feed.objects.filter(sample=True).first()
        if feed is None:
            messages.info(request, "There are no samples any more.")
            return redirect("feeds")
        return render(request, "feeds/samples_remove.html", {"feed": feed, "posts": removal.posts_of(feed).count()})
    removed = remove_samples(request.user)
    ring_projectors()
    messages.success(
        request, f"The sample feed and its {removed} posts were removed. The graph is updated within seconds."
    )
    return redirect("feeds")
