"""Delete a feed so that it can be restored: its row stays, for the posts that it listed.

Posts that no other feed lists are kept or withdrawn, as the person decides. Withdrawn posts support nothing in the
graph, and their history stays, so that restoring the feed brings them back as they were.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from extraction import leases
from extraction.models import Feed, Post, Sighting
from extraction.posts.versions import Mark, revive, withdraw

TOGETHER = 200  # posts in one transaction


def posts_of(feed: Feed) -> QuerySet[Post]:
    """The live posts that no other feed lists, deleted ones aside."""
    listed = Sighting.objects.filter(post=OuterRef("pk"))
    elsewhere = listed.filter(feed__deleted_at__isnull=True).exclude(feed=feed)
    return Post.objects.filter(Exists(listed.filter(feed=feed)), ~Exists(elsewhere), state=Post.State.LIVE)


def delete(feed: Feed, mark: Mark, *, withdraw_posts: bool) -> int:
    """Stop polling the feed, take it out of all lists, and withdraw its posts if so decided; how many."""
    Feed.objects.filter(pk=feed.pk).update(deleted_at=timezone.now(), due_at=None, **leases.NO_LEASE)
    if not withdraw_posts:
        return 0
    return sum(_withdraw(part, reason_of(feed), mark) for part in _parts(posts_of(feed)))


def restore(feed: Feed, mark: Mark) -> int:
    """Undo a deletion: poll the feed again if it was polled, and bring its withdrawn posts back; how many."""
    due = timezone.now() if feed.state == Feed.State.ACTIVE else None
    Feed.objects.filter(pk=feed.pk).update(deleted_at=None, due_at=due)
    gone = Post.objects.filter(state=Post.State.WITHDRAWN, state_reason=reason_of(feed))
    return sum(_revive(part, mark) for part in _parts(gone))


def reason_of(feed: Feed) -> str:
    return f"Its feed {feed} (number {feed.pk}) was deleted."


def _parts(posts: QuerySet[Post]) -> list[list[int]]:
    ids = list(posts.order_by("pk").values_list("pk", flat=True))
    return [ids[start : start + TOGETHER] for start in range(0, len(ids), TOGETHER)]


def _withdraw(ids: list[int], reason: str, mark: Mark) -> int:
    """Not fetched again either: a page that still exists would bring its post back."""
    with transaction.atomic():
        posts = [post for post in _locked(ids) if withdraw(post, reason)]
        Post.objects.filter(pk__in=[post.pk for post in posts]).update(due_at=None)
        mark(posts)
    return len(posts)


def _revive(ids: list[int], mark: Mark) -> int:
    with transaction.atomic():
        posts = [post for post in _locked(ids) if revive(post)]
        Post.objects.filter(pk__in=[post.pk for post in posts]).update(due_at=timezone.now())
        mark(posts)
    return len(posts)


def _locked(ids: list[int]) -> list[Post]:
    rows = Post.objects.select_for_update(no_key=True, of=("self",)).select_related("current_version")
    return list(rows.filter(pk__in=ids).order_by("pk"))
