"""Feeds: the list with their health, one feed, adding, pausing, trying again, OPML, and the samples' removal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from extraction import fetch
from extraction.models import Feed, Sighting
from kgbuilder.celery import ring
from knowledge import events
from knowledge.erasure import remove_samples
from knowledge.views import paging
from knowledge.views.access import ADD_FEED, CHANGE_FEED, DELETE_FEED, SEE_FEEDS, page

LARGEST_OPML = 2_000_000
FEEDS = paging.Key(fields=("title", "id"), descending=False, parse=(str, int))
SIGHTINGS = paging.Key(fields=("id",), descending=True, parse=(int,))


@dataclass(frozen=True)
class Health:
    code: str
    label: str


@dataclass(frozen=True)
class Row:
    feed: Feed
    health: Health
    posts: int


def health_of(feed: Feed) -> Health:
    if feed.state == Feed.State.GONE:
        return Health("gone", "Gone")
    if feed.state == Feed.State.PAUSED:
        return Health("paused", "Paused")
    if feed.failures:
        return Health("failed", f"Failed {feed.failures}×")
    if feed.polled_at is None:
        return Health("waiting", "Not polled yet")
    return Health("good", "Fine")


@page(SEE_FEEDS)
def feeds(request: HttpRequest) -> HttpResponse:
    shown = paging.page(Feed.objects.all(), FEEDS, request.GET, size=100)
    posts = dict(
        Sighting.objects.filter(feed__in=shown.rows)
        .values_list("feed")
        .annotate(n=Count("post", distinct=True))
        .order_by()
    )
    context = {
        "rows": [Row(feed, health_of(feed), posts.get(feed.pk, 0)) for feed in shown.rows],
        "page": shown,
        "samples": Feed.objects.filter(sample=True).exists(),
        "address": request.GET.get("address", ""),
    }
    return render(request, "feeds.html", context)


@page(SEE_FEEDS)
def feed(request: HttpRequest, feed_id: int) -> HttpResponse:
    found = get_object_or_404(Feed, pk=feed_id)
    sightings = Sighting.objects.filter(feed=found).select_related("post__current_version").defer("text")
    shown = paging.page(sightings, SIGHTINGS, request.GET, size=50)
    context = {
        "feed": found,
        "health": health_of(found),
        "page": shown,
        "posts": Sighting.objects.filter(feed=found).values("post").distinct().count(),
        "interval": timedelta(seconds=found.interval_s),
        "overdue": found.due_at is not None and found.due_at < timezone.now(),
    }
    return render(request, "feed.html", context)


@page(ADD_FEED)
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    address = request.POST.get("address", "").strip()
    try:
        found, new = subscribe(address)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("feeds")
    if new:
        events.note(request.user, "feed added", str(found.pk))
        ring("poll")
        messages.success(
            request, "The feed is added and polled at once; its posts appear as they are fetched and read."
        )
    else:
        messages.info(request, "This feed was there already.")
    return redirect("feed", found.pk)


def subscribe(address: str) -> tuple[Feed, bool]:
    """The feed at an address, due now if it is new. Raises ValidationError for what is no web address."""
    url, credentials = fetch.split_credentials(address)
    URLValidator(schemes=["http", "https"], message="A feed's address begins with http:// or https://.")(url)
    with transaction.atomic():
        return Feed.objects.get_or_create(url=url, defaults={"credentials": credentials, "due_at": timezone.now()})


@page(CHANGE_FEED)
@require_POST
def change(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Polls a feed now, pauses it or resumes it."""
    found = get_object_or_404(Feed, pk=feed_id)
    what = request.POST.get("do", "")
    rows = Feed.objects.filter(pk=feed_id)
    if what == "retry":
        rows.update(state=Feed.State.ACTIVE, due_at=timezone.now())
        said = "The feed is polled now."
    elif what == "pause":
        rows.update(state=Feed.State.PAUSED, due_at=None)
        said = "The feed is paused: nothing is polled until somebody resumes it. Its posts stay."
    elif what == "resume":
        rows.update(state=Feed.State.ACTIVE, due_at=timezone.now())
        said = "The feed is polled again."
    else:
        messages.error(request, "A feed can be polled, paused or resumed.")
        return redirect("feed", feed_id)
    events.note(request.user, f"feed {what}", str(feed_id), found.state)
    ring("poll")
    messages.success(request, said)
    return redirect("feed", feed_id)


@page(SEE_FEEDS)
def opml_export(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@page(ADD_FEED)
@require_POST
def opml_import(request: HttpRequest) -> HttpResponse:
    return redirect("feeds")


@page(DELETE_FEED)
@require_POST
def samples_remove(request: HttpRequest) -> HttpResponse:
    """Takes the samples out of the record; the graph follows as its units are written anew."""
    removed = remove_samples(request.user)
    ring("project.rdf")
    messages.success(request, f"The sample feed and its {removed} posts are gone; the graph follows within seconds.")
    return redirect("feeds")
