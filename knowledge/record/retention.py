"""Deletes the bodies of posts (BODY_DAYS) and superseded readings (READINGS_KEPT) that are older than the settings.

A pruned body keeps its length: what is deleted becomes blanks, so that every offset still points at its words. The
title stays, and so do the words of mentions, and the text around each active assertion.
The text that feeds give of a post is deleted with its body, except for the title and the item's hash, by which an
unchanged item is still recognised.
Posts with an editor's verdict keep all of their current text: verdicts follow edits by it, and readers learn from it.
Copies of pictures are deleted by `image_retention` (PICTURE_DAYS).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from extraction.models import Post, PostVersion, Reading, Sighting
from knowledge.models import Assertion, Mention, MentionCorrection, Review
from knowledge.record import current

AROUND = 120  # code points kept on either side of a statement's ends, and no further than the paragraph
FAR = 600  # code points; ends further apart keep their own surroundings each
CHUNK = 50  # posts in one transaction
_WAITING = (Reading.Stage.READ, Reading.Stage.LINK)

Part = tuple[int, int]


@dataclass(slots=True)
class Pruned:
    """How many bodies, feed texts and readings were deleted. False: there was nothing to delete."""

    bodies: int = 0
    feed_texts: int = 0
    readings: int = 0

    def __iadd__(self, other: Pruned) -> Pruned:
        self.bodies += other.bodies
        self.feed_texts += other.feed_texts
        self.readings += other.readings
        return self

    def __bool__(self) -> bool:
        return bool(self.bodies or self.feed_texts or self.readings)


def prune(now: datetime | None = None, most: int = 1000) -> Pruned:
    """Delete at most `most` bodies, `most` feed texts and the readings of `most` posts, in short transactions."""
    now = now or timezone.now()
    done = Pruned()
    for ids in _chunks(list(old_bodies(now).values_list("pk", flat=True)[:most])):
        done.bodies += _prune_bodies(ids, now)
    for ids in _chunks(list(_old_feed_texts(now).values_list("pk", flat=True)[:most])):
        done.feed_texts += _prune_feed_texts(ids, now)
    for ids in _chunks(list(_overfull().values_list("pk", flat=True)[:most])):
        done.readings += _prune_readings(ids)
    return done


def old_bodies(now: datetime) -> QuerySet[PostVersion]:
    """The versions whose body is due for deletion; none where BODY_DAYS is 0."""
    if not settings.BODY_DAYS:
        return PostVersion.objects.none()
    old = PostVersion.objects.filter(fetched_at__lt=now - timedelta(days=settings.BODY_DAYS), pruned_at__isnull=True)
    judged = Review.objects.filter(post=OuterRef("post"), withdrawn_at__isnull=True)
    corrected = MentionCorrection.objects.filter(post=OuterRef("post"), withdrawn_at__isnull=True)
    waiting = Reading.objects.filter(version=OuterRef("pk"), stage__in=_WAITING)
    ended = Reading.objects.filter(version=OuterRef("pk"))
    present = Q(current_of__isnull=False)
    return (
        old.exclude(present & (Exists(judged) | Exists(corrected) | ~Exists(ended)))
        .exclude(Exists(waiting))
        .order_by("pk")
    )


def _prune_bodies(ids: list[int], now: datetime) -> int:
    with transaction.atomic():
        # Posts first, as fetches and recordings lock them.
        posts = PostVersion.objects.filter(pk__in=ids).values("post")
        list(Post.objects.select_for_update(no_key=True).filter(pk__in=posts).order_by("pk").values_list("pk"))
        versions = list(old_bodies(now).filter(pk__in=ids))
        for version in versions:
            version.text, version.pruned_at = blanked(version.text, _kept(version)), now
        PostVersion.objects.bulk_update(versions, ["text", "pruned_at"])
    return len(versions)


def _old_feed_texts(now: datetime) -> QuerySet[Sighting]:
    """Feed items with text of posts whose current body was pruned; not where a fetch is due, which may need it."""
    if not settings.BODY_DAYS:
        return Sighting.objects.none()
    items = Sighting.objects.filter(post__current_version__pruned_at__isnull=False).exclude(text="")
    return items.exclude(post__due_at__isnull=False, post__due_at__lte=now).order_by("pk")


def _prune_feed_texts(ids: list[int], now: datetime) -> int:
    with transaction.atomic():
        # A poll that holds some waits for others, and for their posts; we wait for none: the next run has them.
        due = _old_feed_texts(now).filter(pk__in=ids).select_for_update(skip_locked=True, of=("self",))
        locked = list(due.values_list("pk", flat=True))
        # Queried again: a poll may have written other text and made the post due just before we locked the rows.
        return Sighting.objects.filter(pk__in=_old_feed_texts(now).filter(pk__in=locked)).update(text="")


def blanked(text: str, kept: Iterable[Part]) -> str:
    """`text` with every character outside the `kept` parts blanked. Lines stay lines, so paragraphs stay apart."""
    pieces, at = [], 0
    for start, end in sorted(kept):
        pieces.append(_blanks(text[at:start]))
        pieces.append(text[max(at, start) : end])
        at = max(at, end)
    return "".join([*pieces, _blanks(text[at:])])


def _blanks(text: str) -> str:
    return "".join("\n" if sign == "\n" else " " for sign in text)


def _kept(version: PostVersion) -> Iterator[Part]:
    yield 0, version.title_end
    yield from Mention.everything.filter(reading__version=version).values_list("start", "end").distinct()
    active = current.assertions().filter(reading__version=version).select_related("head_mention", "tail_mention")
    for assertion in active:
        ends = sorted((m.start, m.end) for m in (assertion.head_mention, assertion.tail_mention))
        (start, first_end), (last_start, end) = ends
        if end - start <= FAR:
            yield _with_surroundings(version.text, start, end)
        else:
            yield _with_surroundings(version.text, start, first_end)
            yield _with_surroundings(version.text, last_start, end)


def _with_surroundings(text: str, start: int, end: int) -> Part:
    """The part with the text around it in its paragraph, whole words only."""
    left = max(start - AROUND, text.rfind("\n", 0, start) + 1, 0)
    stop = text.find("\n", end)
    right = min(end + AROUND, len(text) if stop < 0 else stop)
    while 0 < left < start and not text[left - 1].isspace():
        left += 1
    while end < right < len(text) and not text[right].isspace():
        right -= 1
    return left, right


def _overfull() -> QuerySet[Post]:
    """The posts with more readings than are kept."""
    ended = Count("versions__readings", filter=~Q(versions__readings__stage__in=_WAITING))
    posts = Post.objects.exclude(current_reading__isnull=True)
    many = posts.annotate(ended=ended).filter(ended__gt=settings.READINGS_KEPT)
    return many.filter(Exists(_superseded().filter(version__post=OuterRef("pk")))).order_by("pk")


def _superseded() -> QuerySet[Reading]:
    """Readings that may be deleted: ended, no post's current one, and no active verdict on their statements."""
    named = Assertion.objects.filter(
        reading=OuterRef("pk"),
        statement__reviews__post=F("reading__version__post"),
        statement__reviews__withdrawn_at__isnull=True,
    )
    return Reading.objects.filter(current_of__isnull=True).exclude(stage__in=_WAITING).exclude(Exists(named))


def spare_readings() -> int:
    """How many readings are due for deletion."""
    return sum(len(_spare(post)) for post in _overfull().iterator())


def _prune_readings(ids: list[int]) -> int:
    with transaction.atomic():
        posts = Post.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
        gone = [reading for post in list(posts) for reading in _spare(post)]
        Reading.objects.filter(pk__in=gone).delete()
    return len(gone)


def _spare(post: Post) -> list[int]:
    """The oldest readings beyond READINGS_KEPT; the current one counts among those kept."""
    ended = Reading.objects.filter(version__post=post).exclude(stage__in=_WAITING)
    # Dropped ones hold no results, so they are deleted first; then the oldest.
    superseded = list(_superseded().filter(version__post=post).order_by("-read_at", "-pk"))
    superseded.sort(key=lambda one: one.stage == Reading.Stage.DROPPED)
    spare = ended.count() - settings.READINGS_KEPT
    return [one.pk for one in superseded[max(len(superseded) - spare, 0) :]] if spare > 0 else []


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
