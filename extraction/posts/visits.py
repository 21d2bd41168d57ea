"""Fetch the article pages of due posts, and update the posts by the results.

No transaction is open while a page is fetched. A visit (one fetch of one post) ends in one transaction, whose first
statement checks that its lease still holds; a result that comes too late is discarded, and the page is fetched again.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from extraction import leases
from extraction.crawler import canonical_urls, politeness
from extraction.models import Host, Post, Sighting
from extraction.posts import feed_settings, item_dates
from extraction.posts.article_page import PATIENCE, SENT, PageResult, fetch_page
from extraction.posts.duplicates import merge_into, same_story
from extraction.posts.edits import no_edit
from extraction.posts.post_images import fetch_pictures
from extraction.posts.versions import Mark, erase_unread, new_version, revive, was_erased, withdraw
from extraction.text.cleaning import clean
from kgbuilder.supervision import telemetry

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)  # a visit: robots.txt, page and picture, each within its deadline and its host's turn
MISSING_AGAIN = timedelta(hours=24)
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=24)
FEED_TEXT_AFTER = 3  # failed fetches before the feed's own text is used in place of the page's
_WITH_PICTURES = ("new", "edited", "back", "feed", "unchanged")
TRIED_FOR = timedelta(days=2)  # how long after its last planned fetch a page that fails is still tried


@dataclass(frozen=True, slots=True)
class Visit:
    """A claimed post, and when it was due."""

    post_id: int
    token: str
    due_at: datetime | None


@dataclass(slots=True)
class Visited:
    """The result of a round: how many posts were claimed, and the number of each outcome."""

    claimed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def visit_due(limit: int = 4, *, mark: Mark, worker: str = "") -> Visited:
    """Claim at most `limit` due posts and fetch their pages."""
    return visit_all(claim(limit, worker), mark)


def visit_all(visits: Sequence[Visit], mark: Mark, alive: Callable[[], None] = lambda: None) -> Visited:
    """Fetch the pages of claimed posts one after another, `alive` called before each. An error is stored with its post
    and does not stop the others."""
    done = Visited(claimed=len(visits))
    for visit in visits:
        alive()
        with telemetry.about(post=visit.post_id):
            outcome = _visited(visit, mark)
            logger.info("Visited: %s.", outcome)
        done.outcomes[outcome] += 1
    return done


def _visited(visit: Visit, mark: Mark) -> str:
    try:
        return _visit(visit, mark)
    except Exception as error:
        logger.exception("The visit to post %s failed", visit.post_id)
        _conclude(visit, PageResult("failed", f"{type(error).__name__}: {error}"), mark)
        return "failed"


def claim(limit: int, worker: str = "") -> list[Visit]:
    """The oldest due posts, at most `limit`, whose hosts may be requested soon; those of busy hosts are postponed."""
    posts = Post.objects.exclude(state=Post.State.ERASED)
    rows = leases.claim(posts, limit * 8, LEASE, worker, choose=partial(_by_turn, limit))
    return [Visit(row.pk, row.lease_token, row.due_at) for row in rows]


def _by_turn(limit: int, rows: list[Post]) -> list[Post]:
    """The posts to fetch now. Those of busy hosts are postponed: one host's queue must not delay the posts of
    others."""
    now = timezone.now()
    names = {canonical_urls.host(row.link) for row in rows}
    known = {name: Host(name=name) for name in names} | Host.objects.in_bulk(list(names), field_name="name")
    queued: dict[str, float] = defaultdict(float)
    chosen: list[Post] = []
    for row in rows:
        host = known[canonical_urls.host(row.link)]
        wait = queued[host.name] + max(((host.next_request_at or now) - now).total_seconds(), 0.0)
        if wait > PATIENCE:
            Post.objects.filter(pk=row.pk).update(due_at=now + timedelta(seconds=wait))
        elif len(chosen) < limit:
            chosen.append(row)
        else:
            continue  # still due: the next claim takes it
        queued[host.name] += politeness.gap(host)
    return chosen


def _visit(visit: Visit, mark: Mark) -> str:
    claimed = Post.objects.select_related("current_version")
    post = claimed.filter(pk=visit.post_id, lease_token=visit.token).first()
    if post is None or not _renew(visit):
        return "lost"
    result = fetch_page(post)
    outcome = _conclude(visit, result, mark)
    if outcome in _WITH_PICTURES and _renew(visit):
        fetch_pictures(post, result.article, lambda: _renew(visit))
    _release(visit)
    return outcome


def _conclude(visit: Visit, result: PageResult, mark: Mark) -> str:
    """Update the post by the result of a fetch, and schedule the next one."""
    for last_try in (False, True):
        try:
            with transaction.atomic():
                held = Post.objects.select_for_update(no_key=True, of=("self",)).select_related("current_version")
                post = held.filter(pk=visit.post_id, lease_token=visit.token).first()
                if post is None:
                    return "lost"
                shown = post.link, post.state, post.published_at
                outcome = _apply(post, result, requested_again=post.due_at != visit.due_at)
                if (post.link, post.state, post.published_at) != shown:
                    mark([post])
                return outcome
        except IntegrityError:
            # a poll created a post with this story's canonical link meanwhile: the second try finds it
            if last_try:
                raise
    return "lost"


def _apply(post: Post, result: PageResult, *, requested_again: bool) -> str:
    """`requested_again`: a feed reported a change during the fetch, which may have come too early to include it."""
    now = timezone.now()
    if result.kind == "busy":
        Post.objects.filter(pk=post.pk).update(due_at=now + timedelta(seconds=result.retry_in))
        return "busy"
    post.error = clean(result.reason)
    outcome = _DECISIONS[result.kind](post, result, now)
    if outcome != "folded":
        post.visits += 1
        if not requested_again:
            post.due_at = _next(post, now)
        if post.state == Post.State.ERASED:
            post.due_at = None
        post.save()
    return outcome


def _page(post: Post, result: PageResult, now: datetime) -> str:
    article = result.article
    if post.current_version is None:
        if was_erased(article.whole):
            erase_unread(post)
            return "erased"
        twin = same_story(post, result.url, article)
        if twin is not None:
            merge_into(twin, post)
            return "folded"
    doubt = no_edit(post, article)
    if doubt:
        return _hidden(post, replace(result, kind="hidden", reason=f"{result.url} {doubt}"), now)
    if result.moved_to and result.moved_to != post.link:
        post.link = result.moved_to
    post.etag, post.last_modified = result.etag, result.last_modified
    post.attempts, post.missing_since = 0, None
    post.first_fetched_at = post.first_fetched_at or now
    item_dates.from_page(post, article.published, now)
    language = feed_settings.language_of(post) or article.language
    version = new_version(post, article.title, article.text, "page", language=language, fetched_at=now)
    back = revive(post)
    if version is None:
        return "back" if back else "unchanged"
    return "new" if version.ordinal == 1 else "edited"


def _unchanged(post: Post, result: PageResult, now: datetime) -> str:
    post.attempts, post.missing_since = 0, None
    return "back" if revive(post) else "unchanged"


def _gone(post: Post, result: PageResult, now: datetime) -> str:
    post.attempts = 0
    post.missing_since = post.missing_since or now
    return "withdrawn" if withdraw(post, result.reason) else "gone"


def _missing(post: Post, result: PageResult, now: datetime) -> str:
    """404: the post is withdrawn when the page is still missing a day later; it may be a mistake."""
    post.attempts = 0
    post.missing_since = post.missing_since or now
    if now - post.missing_since >= MISSING_AGAIN:
        return "withdrawn" if withdraw(post, result.reason) else "missing"
    _take_feed_text(post, now)
    return "missing"


def _refused(post: Post, result: PageResult, now: datetime) -> str:
    post.attempts = 0
    return "feed" if _take_feed_text(post, now) else "refused"


def _hidden(post: Post, result: PageResult, now: datetime) -> str:
    """Something else stands in the story's place: what is known of it stays, and the page is fetched again soon."""
    post.attempts += 1
    post.error = clean(result.reason)
    return "feed" if _take_feed_text(post, now) else "kept"


def _failed(post: Post, result: PageResult, now: datetime) -> str:
    post.attempts += 1
    if post.attempts >= FEED_TEXT_AFTER and _take_feed_text(post, now):
        return "feed"
    return "failed"


_DECISIONS = {
    "page": _page,
    "unchanged": _unchanged,
    "gone": _gone,
    "missing": _missing,
    "refused": _refused,
    "hidden": _hidden,
    "failed": _failed,
}


def _take_feed_text(post: Post, now: datetime) -> bool:
    """Create a version of the feed item's text, unless the post has one from a page of its own."""
    present = post.current_version
    from_own_page = present is not None and (present.source == SENT or post.link_key is not None)
    if present is not None and present.source != "feed" and from_own_page:
        return False
    sightings = Sighting.objects.filter(post=post).order_by("first_seen", "pk")
    fullest = max(sightings, key=lambda sighting: len(sighting.text), default=None)
    if present is not None and present.pruned_at and present.body and fullest is not None and not fullest.text:
        return False  # the feed's text was pruned with the version's: a title alone would look like an edit
    if fullest is not None and was_erased(f"{fullest.title}\n\n{fullest.text}"):
        erase_unread(post)
        return False
    if fullest is None:
        return False
    language = feed_settings.language_of(post)
    return new_version(post, fullest.title, fullest.text, "feed", language=language, fetched_at=now) is not None


def _next(post: Post, now: datetime) -> datetime | None:
    """The time of the next fetch: as planned, sooner after a failure, a day after a 404; None after the last."""
    since = post.first_fetched_at or post.seen_at
    if post.state == Post.State.WITHDRAWN and post.missing_since is not None:
        since = post.missing_since
    planned = [since + timedelta(hours=hours) for hours in sorted(settings.RECHECK_HOURS)]
    due = next((moment for moment in planned if moment > now), None)
    if post.state == Post.State.LIVE and post.missing_since is not None:
        again = post.missing_since + MISSING_AGAIN
        return again if again > now else now + FIRST_RETRY
    if post.attempts:
        again = now + min(FIRST_RETRY * 4 ** min(post.attempts - 1, 6), LONGEST_RETRY)
        return again if not planned or again < planned[-1] + TRIED_FOR else due
    return due


def _renew(visit: Visit) -> bool:
    held = Post.objects.filter(pk=visit.post_id, lease_token=visit.token)
    return bool(held.update(lease_until=timezone.now() + LEASE))


def _release(visit: Visit) -> None:
    Post.objects.filter(pk=visit.post_id, lease_token=visit.token).update(**leases.NO_LEASE)
