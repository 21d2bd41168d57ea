"""The page of a feed: its state and items, poll and pause, its settings, and its deletion, which can be undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from extraction.feeds import removal, subscriptions
from extraction.models import Feed, Sighting
from kgbuilder.celery import ring, ring_projectors
from knowledge.record import audit_log, current, projection_queue
from knowledge.views import pagination
from knowledge.views.access import CHANGE_FEED, DELETE_FEED, SEE_FEEDS, page
from knowledge.views.feeds.index import LONGEST_FOLDER, folder_name, health_of

SIGHTINGS = pagination.Key(fields=("id",), descending=True, parse=(int,))
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
SETTINGS = ("title", "url", "folder", "language", "full_text")


class FeedForm(forms.Form):
    """The settings of a feed. An address may carry a user and password, as when it was added."""

    title = forms.CharField(max_length=500, required=False, label="Name")
    url = forms.CharField(max_length=2000, label="Address")
    folder = forms.CharField(max_length=LONGEST_FOLDER, required=False, label="Folder")
    language = forms.RegexField(
        LANGUAGE,
        max_length=35,
        required=False,
        label="Language of its posts",
        help_text="Such as en or de. Empty: as the pages say.",
        error_messages={"invalid": "Enter a language such as en, de or pt-BR, or nothing."},
    )
    full_text = forms.BooleanField(
        required=False,
        label="Fetch article pages",
        help_text="Otherwise the texts of the feed’s items are analysed.",
    )

    def __init__(self, feed: Feed, data: QueryDict | None = None) -> None:
        self.feed, self.credentials = feed, ""
        super().__init__(data, initial={name: getattr(feed, name) for name in SETTINGS})

    def clean_title(self) -> str:
        return " ".join(str(self.cleaned_data["title"]).split())

    def clean_folder(self) -> str:
        return folder_name(self.cleaned_data["folder"])

    def clean_url(self) -> str:
        """The address without its user and password, kept in `credentials`. A source of sent posts keeps its own."""
        self.credentials = ""
        entered = str(self.cleaned_data["url"]).strip()
        if entered == self.feed.url or self.feed.state == Feed.State.SENT:
            return self.feed.url
        try:
            address, self.credentials = subscriptions.checked(entered)
        except subscriptions.NoFeedAddress as error:
            raise forms.ValidationError(str(error)) from error
        if other := Feed.objects.filter(url=address).exclude(pk=self.feed.pk).first():
            raise forms.ValidationError(f"This is the address of the feed {other} already.")
        return address


@page(SEE_FEEDS)
def feed(request: HttpRequest, feed_id: int) -> HttpResponse:
    return _shown(request, get_object_or_404(Feed, pk=feed_id))


def _shown(request: HttpRequest, found: Feed, form: FeedForm | None = None, status: int = 200) -> HttpResponse:
    sightings = Sighting.objects.filter(feed=found).select_related("post__current_version").defer("text")
    context = {
        "feed": found,
        "health": health_of(found),
        "page": pagination.page(sightings, SIGHTINGS, request.GET, size=50),
        "posts": Sighting.objects.filter(feed=found).values("post").distinct().count(),
        "interval": timedelta(seconds=found.interval_s),
        "overdue": found.due_at is not None and found.due_at < timezone.now(),
        "form": form or FeedForm(found),
    }
    return render(request, "feeds/detail.html", context, status=status)


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
    if feed.deleted_at is not None:
        messages.error(request, "This feed was deleted. Restore it first.")
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


@page(CHANGE_FEED)
@require_POST
def edit(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Change a feed's name, address, folder and settings. A new address is polled at once, without the old errors."""
    feed = get_object_or_404(Feed, pk=feed_id, deleted_at__isnull=True)
    form = FeedForm(feed, request.POST)
    if not form.is_valid():
        return _shown(request, feed, form, status=422)
    before = {name: getattr(feed, name) for name in SETTINGS}
    after = {name: form.cleaned_data[name] for name in SETTINGS}
    if before == after and not form.credentials:
        messages.info(request, "Nothing was changed.")
        return redirect("feed", feed_id)
    with transaction.atomic():
        Feed.objects.filter(pk=feed_id).update(**after, **_of_new_address(feed, form))
        changed = [name for name in SETTINGS if before[name] != after[name]]
        old, new = ({name: values[name] for name in changed} for values in (before, after))
        audit_log.note(request.user, "feed changed", str(feed_id), old, new)
    if before["url"] != after["url"]:
        ring("poll")
    messages.success(request, "The feed was changed.")
    return redirect("feed", feed_id)


def _of_new_address(feed: Feed, form: FeedForm) -> dict[str, Any]:
    """What follows from another address: nothing of the old server's answers holds for it."""
    if form.cleaned_data["url"] == feed.url:
        return {}
    due = timezone.now() if feed.state in (Feed.State.ACTIVE, Feed.State.GONE) else None
    state = Feed.State.ACTIVE if feed.state == Feed.State.GONE else feed.state
    fresh = {"etag": "", "last_modified": "", "failures": 0, "error": "", "error_at": None, "notice": ""}
    return {**fresh, "credentials": form.credentials, "due_at": due, "state": state}


@page(DELETE_FEED)
def delete(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Delete a feed, once its page has shown what that takes away."""
    feed = get_object_or_404(Feed, pk=feed_id, deleted_at__isnull=True)
    if feed.sample:
        return redirect("samples_remove")
    own = removal.posts_of(feed)
    if request.method != "POST" or request.POST.get("posts") not in ("keep", "withdraw"):
        context = {
            "feed": feed,
            "items": Sighting.objects.filter(feed=feed).count(),
            "posts": own.count(),
            "assertions": current.assertions().filter(reading__current_of__in=own).count(),
        }
        return render(request, "feeds/delete.html", context)
    with transaction.atomic():
        withdrawn = removal.delete(
            feed, projection_queue.mark_posts, withdraw_posts=request.POST["posts"] == "withdraw"
        )
        audit_log.note(request.user, "feed deleted", str(feed_id), None, {"withdrawn": withdrawn})
    ring_projectors()
    kept = f"{withdrawn} of its posts were withdrawn." if withdrawn else "Its posts are kept."
    messages.success(request, f"The feed {feed} was deleted. {kept} “Deleted feeds” below can restore it.")
    return redirect("feeds")


@page(DELETE_FEED)
@require_POST
def restore(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Undo the deletion of a feed."""
    feed = get_object_or_404(Feed, pk=feed_id)
    if feed.deleted_at is None:
        messages.info(request, "This feed has not been deleted.")
        return redirect("feed", feed_id)
    with transaction.atomic():
        back = removal.restore(feed, projection_queue.mark_posts)
        audit_log.note(request.user, "feed restored", str(feed_id), None, {"posts": back})
    ring("poll")
    ring("read")
    ring_projectors()
    messages.success(request, f"The feed was restored{f', with {back} withdrawn posts' if back else ''}.")
    return redirect("feed", feed_id)
