"""Visits to posts' pages: which are due, and what follows from what was found.

No transaction is open while a page is fetched. A visit ends in one transaction, whose first statement makes sure that
the visit's lease still holds; a result that comes too late is dropped, and the post is visited again.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from extraction import leases
from extraction.crawler import canonical_urls, politeness
from extraction.models import Host, Post, Sighting
from extraction.posts.article_page import PATIENCE, Found, look
from extraction.posts.duplicates import fold_into, same_story
from extraction.posts.post_images import take_pictures
from extraction.posts.versions import Mark, bury, new_version, revive, was_erased, withdraw
from extraction.text.cleaning import clean
from kgbuilder.supervision import telemetry

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)  # a visit: robots.txt, page and picture, each within its deadline and its host's turn
MISSING_AGAIN = timedelta(hours=24)
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=24)
FEED_TEXT_AFTER = 3  # failed visits, before the feed's own words are read in the page's stead
_WITH_PICTURE = ("new", "edited", "back", "feed", "unchanged")
TRIED_FOR = timedelta(days=2)  # how long after its last planned visit a page that fails is still tried


@dataclass(frozen=True, slots=True)
class Visit:
    """A claimed post, and when it was due."""

    post_id: int
    token: str
    due_at: datetime | None


@dataclass(slots=True)
class Visited:
    """What a round of visits did: how many posts were claimed, and how many of them came to what."""

    claimed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def visit_due(limit: int = 4, *, mark: Mark, worker: str = "") -> Visited:
    """Claim at most `limit` due posts and visit them."""
    return visit_all(claim(limit, worker), mark)


def visit_all(visits: Sequence[Visit], mark: Mark, alive: Callable[[], None] = lambda: None) -> Visited:
    """Visit claimed posts one after another, `alive` called before each. An error of ours is kept with its post and
    does not stop the others."""
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
        _conclude(visit, Found("failed", f"{type(error).__name__}: {error}"), mark)
        return "failed"


def claim(limit: int, worker: str = "") -> list[Visit]:
    """The oldest due posts, at most `limit`, whose hosts may be asked soon; those of busy hosts are put off."""
    posts = Post.objects.exclude(state=Post.State.ERASED)
    rows = leases.claim(posts, limit * 8, LEASE, worker, choose=partial(_by_turn, limit))
    return [Visit(row.pk, row.lease_token, row.due_at) for row in rows]


def _by_turn(limit: int, rows: list[Post]) -> list[Post]:
    """Which posts to take now; those of busy hosts are put off: a host's queue must not hold up the others' posts."""
    now = timezone.now()
    names = {canonical_urls.host(row.link) for row in rows}
    known = {name: Host(name=name) for name in names} | Host.objects.in_bulk(list(names), field_name="name")
    queued: dict[str, float] = defaultdict(float)
    taken: list[Post] = []
    for row in rows:
        host = known[canonical_urls.host(row.link)]
        wait = queued[host.name] + max(((host.next_request_at or now) - now).total_seconds(), 0.0)
        if wait > PATIENCE:
            Post.objects.filter(pk=row.pk).update(due_at=now + timedelta(seconds=wait))
        elif len(taken) < limit:
            taken.append(row)
        else:
            continue  # due as before: the next claim takes it
        queued[host.name] += politeness.gap(host)
    return taken


def _visit(visit: Visit, mark: Mark) -> str:
    claimed = Post.objects.select_related("current_version")
    post = claimed.filter(pk=visit.post_id, lease_token=visit.token).first()
    if post is None or not _renew(visit):
        return "lost"
    found = look(post)
    outcome = _conclude(visit, found, mark)
    if outcome in _WITH_PICTURE and _renew(visit):
        take_pictures(post, found.article, lambda: _renew(visit))
    _release(visit)
    return outcome


def _conclude(visit: Visit, found: Found, mark: Mark) -> str:
    """Write what follows from a look, and when the next one is."""
    for last_try in (False, True):
        try:
            with transaction.atomic():
                held = Post.objects.select_for_update(no_key=True, of=("self",)).select_related("current_version")
                post = held.filter(pk=visit.post_id, lease_token=visit.token).first()
                if post is None:
                    return "lost"
                shown = post.link, post.state
                outcome = _apply(post, found, asked_again=post.due_at != visit.due_at)
                if (post.link, post.state) != shown:
                    mark([post])
                return outcome
        except IntegrityError:
            # a poll made a post of this story's canonical link meanwhile: at the second try it is found
            if last_try:
                raise
    return "lost"


def _apply(post: Post, found: Found, *, asked_again: bool) -> str:
    """`asked_again`: a feed showed a change while the page was fetched, perhaps too early to have it."""
    now = timezone.now()
    if found.kind == "busy":
        Post.objects.filter(pk=post.pk).update(due_at=now + timedelta(seconds=found.again_in))
        return "busy"
    outcome = _DECISIONS[found.kind](post, found, now)
    if outcome != "folded":
        post.visits += 1
        post.error = clean(found.says)
        if not asked_again:
            post.due_at = _next(post, now)
        if post.state == Post.State.ERASED:
            post.due_at = None
        post.save()
    return outcome


def _page(post: Post, found: Found, now: datetime) -> str:
    article = found.article
    if post.current_version is None:
        if was_erased(article.whole):
            bury(post)
            return "erased"
        twin = same_story(post, found.url, article)
        if twin is not None:
            fold_into(twin, post)
            return "folded"
    if found.moved_to and found.moved_to != post.link:
        post.link = found.moved_to
    post.etag, post.last_modified = found.etag, found.last_modified
    post.attempts, post.missing_since = 0, None
    post.first_fetched_at = post.first_fetched_at or now
    made = new_version(post, article.title, article.text, "page", language=article.language, fetched_at=now)
    back = revive(post)
    if made is None:
        return "back" if back else "unchanged"
    return "new" if made.ordinal == 1 else "edited"


def _unchanged(post: Post, found: Found, now: datetime) -> str:
    post.attempts, post.missing_since = 0, None
    return "back" if revive(post) else "unchanged"


def _gone(post: Post, found: Found, now: datetime) -> str:
    post.attempts = 0
    post.missing_since = post.missing_since or now
    return "withdrawn" if withdraw(post, found.says) else "gone"


def _missing(post: Post, found: Found, now: datetime) -> str:
    """404: perhaps a slip of the publisher's; a day later it counts."""
    post.attempts = 0
    post.missing_since = post.missing_since or now
    if now - post.missing_since >= MISSING_AGAIN:
        return "withdrawn" if withdraw(post, found.says) else "missing"
    _take_feed_text(post, now)
    return "missing"


def _refused(post: Post, found: Found, now: datetime) -> str:
    post.attempts = 0
    return "feed" if _take_feed_text(post, now) else "refused"


def _failed(post: Post, found: Found, now: datetime) -> str:
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
    "failed": _failed,
}


def _take_feed_text(post: Post, now: datetime) -> bool:
    """Make a version of what the feeds themselves say, unless the page's own words are there."""
    present = post.current_version
    if present is not None and present.source != "feed":
        return False
    sightings = Sighting.objects.filter(post=post).order_by("first_seen", "pk")
    fullest = max(sightings, key=lambda sighting: len(sighting.text), default=None)
    if present is not None and present.pruned_at and present.body and fullest is not None and not fullest.text:
        return False  # the feed's words were let go of as the version's were: a title alone would look like an edit
    if fullest is not None and was_erased(f"{fullest.title}\n\n{fullest.text}"):
        bury(post)
        return False
    return fullest is not None and new_version(post, fullest.title, fullest.text, "feed", fetched_at=now) is not None


def _next(post: Post, now: datetime) -> datetime | None:
    """When the page is visited next: by plan, sooner after a failure, a day after a 404; None after the last."""
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
