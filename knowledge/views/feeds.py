"""Feeds: the list with their health, the page of a feed, adding, pausing, retrying, OPML, and removing the samples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from extraction.crawler import canonical_urls
from extraction.crawler.parsers import opml
from extraction.feeds import subscriptions
from extraction.models import Feed, Sighting
from kgbuilder.celery import ring, ring_projectors
from knowledge.record import audit_log
from knowledge.recording.erasure import remove_samples
from knowledge.views import pagination
from knowledge.views.access import ADD_FEED, CHANGE_FEED, DELETE_FEED, SEE_FEEDS, page

MOST_REFUSALS = 5
FEEDS = pagination.Key(fields=("title", "id"), descending=False, parse=(str, int))
SIGHTINGS = pagination.Key(fields=("id",), descending=True, parse=(int,))


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
    feed_page = pagination.page(Feed.objects.all(), FEEDS, request.GET, size=100)
    posts = dict(
        Sighting.objects.filter(feed__in=feed_page.rows)
        .values_list("feed")
        .annotate(n=Count("post", distinct=True))
        .order_by()
    )
    context = {
        "rows": [FeedListItem(feed, health_of(feed), posts.get(feed.pk, 0)) for feed in feed_page.rows],
        "page": feed_page,
        "samples": Feed.objects.filter(sample=True).exists(),
        "address": request.GET.get("address", ""),
    }
    return render(request, "feeds/index.html", context)


@page(SEE_FEEDS)
def feed(request: HttpRequest, feed_id: int) -> HttpResponse:
    feed = get_object_or_404(Feed, pk=feed_id)
    sightings = Sighting.objects.filter(feed=feed).select_related("post__current_version").defer("text")
    item_page = pagination.page(sightings, SIGHTINGS, request.GET, size=50)
    context = {
        "feed": feed,
        "health": health_of(feed),
        "page": item_page,
        "posts": Sighting.objects.filter(feed=feed).values("post").distinct().count(),
        "interval": timedelta(seconds=feed.interval_s),
        "overdue": feed.due_at is not None and feed.due_at < timezone.now(),
    }
    return render(request, "feeds/detail.html", context)


@page(ADD_FEED)
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    address = request.POST.get("address", "").strip()
    try:
        with transaction.atomic():
            subscription = subscriptions.subscribe(address)
            audit_log.note_subscribed(request.user, subscription)
    except subscriptions.NoFeedAddress as error:
        messages.error(request, str(error))
        return redirect(
            f"{reverse('feeds')}?{urlencode({'address': canonical_urls.without_credentials(address)[:2000]})}"
        )
    if subscription.new:
        messages.success(request, "The feed was added. Its posts appear as they are fetched and analysed.")
    else:
        messages.info(request, f"You already subscribe to this feed{_changes(subscription)}.")
    ring("poll")
    return redirect("feed", subscription.feed.pk)


def _changes(subscription: subscriptions.Subscribed) -> str:
    sentences = {
        "it is polled again": bool(subscription.resumed_from),
        "its user name and password were replaced": subscription.new_credentials,
    }
    changes = " and ".join(sentence for sentence, applies in sentences.items() if applies)
    return f"; {changes}" if changes else ""


CHANGES = {  # action: function, new state of the feed, message
    "retry": (
        subscriptions.retry,
        Feed.State.ACTIVE,
        "The feed is being polled. Refresh this page in a few seconds.",
    ),
    "pause": (
        subscriptions.pause,
        Feed.State.PAUSED,
        "The feed is paused. Its posts are kept.",
    ),
}


@page(CHANGE_FEED)
@require_POST
def change(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Poll a feed now, which also resumes a paused one, or pause it."""
    feed = get_object_or_404(Feed, pk=feed_id)
    action = request.POST.get("do", "")
    if feed.state == Feed.State.SENT:
        messages.error(request, "These posts are sent through the API; there is no feed to poll.")
        return redirect("feed", feed_id)
    if action not in CHANGES:
        messages.error(request, "A feed can be polled or paused.")
        return redirect("feed", feed_id)
    function, state, message = CHANGES[action]
    with transaction.atomic():
        function(feed)
        audit_log.note(request.user, f"feed {action}", str(feed_id), feed.state, state)
    if action == "retry":
        ring("poll")
    messages.success(request, message)
    return redirect("feed", feed_id)


@page(SEE_FEEDS)
def opml_export(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(subscriptions.export_opml(), content_type="text/x-opml; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="kgbuilder-feeds.opml"'
    return response


@page(ADD_FEED)
@require_POST
def opml_import(request: HttpRequest) -> HttpResponse:
    upload = request.FILES.get("opml")
    if upload is None:
        messages.error(request, "Choose an OPML file first.")
        return redirect("feeds")
    try:
        content = upload.read(opml.MAX_BYTES + 1)
        with transaction.atomic():
            imported = subscriptions.import_opml(content)
            audit_log.note_imported(request.user, imported)
    except opml.OpmlError as error:
        messages.error(request, str(error))
        return redirect("feeds")
    ring("poll")
    messages.success(request, f"{len(imported.added)} feeds were added; {imported.known} were already subscribed.")
    for refused in list(imported.refused.values())[:MOST_REFUSALS]:
        messages.warning(request, refused)
    if len(imported.refused) > MOST_REFUSALS:
        messages.warning(request, f"{len(imported.refused) - MOST_REFUSALS} more addresses were refused.")
    return redirect("feeds")


@page(DELETE_FEED)
@require_POST
def samples_remove(request: HttpRequest) -> HttpResponse:
    """Delete the samples from the record; the projectors then update the graph."""
    removed = remove_samples(request.user)
    ring_projectors()
    messages.success(
        request, f"The sample feed and its {removed} posts were removed. The graph is updated within seconds."
    )
    return redirect("feeds")
