"""Lets go of what is older than the settings say: bodies of posts (BODY_DAYS) and superseded readings (READINGS_KEPT).

A pruned body keeps its length: what goes becomes blanks, so that every offset still points at its words. The title
stays, and so do the words that readings name, and around each statement that counts the words that it was read in.
What feeds themselves said of a post goes with its body, all but the title and the item's hash: that nothing changed is
still seen.
Posts with an editor's verdict keep all of their present words: verdicts follow edits by them, and readers learn from
them. Copies of pictures have a lane's work of their own (PICTURE_DAYS).
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
from knowledge.models import Assertion, Mention, Review
from knowledge.record import current

AROUND = 120  # code points kept on either side of a statement's ends, and no further than the paragraph
FAR = 600  # code points; ends further apart keep their own surroundings each
CHUNK = 50  # posts in one transaction
_WAITING = (Reading.Stage.READ, Reading.Stage.LINK)

Part = tuple[int, int]


@dataclass(slots=True)
class Pruned:
    """How many bodies, feeds' own words and readings went. False: there was nothing to let go of."""

    bodies: int = 0
    feed_words: int = 0
    readings: int = 0

    def __iadd__(self, other: Pruned) -> Pruned:
        self.bodies += other.bodies
        self.feed_words += other.feed_words
        self.readings += other.readings
        return self

    def __bool__(self) -> bool:
        return bool(self.bodies or self.feed_words or self.readings)


def prune(now: datetime | None = None, most: int = 1000) -> Pruned:
    """Lets go of at most `most` bodies, `most` feeds' words and the readings of `most` posts, in short transactions."""
    now = now or timezone.now()
    done = Pruned()
    for ids in _chunks(list(old_bodies(now).values_list("pk", flat=True)[:most])):
        done.bodies += _prune_bodies(ids, now)
    for ids in _chunks(list(_old_feed_words(now).values_list("pk", flat=True)[:most])):
        done.feed_words += _prune_feed_words(ids, now)
    for ids in _chunks(list(_overfull().values_list("pk", flat=True)[:most])):
        done.readings += _prune_readings(ids)
    return done


def old_bodies(now: datetime) -> QuerySet[PostVersion]:
    """The versions whose body is due to go; none where BODY_DAYS is 0."""
    if not settings.BODY_DAYS:
        return PostVersion.objects.none()
    old = PostVersion.objects.filter(fetched_at__lt=now - timedelta(days=settings.BODY_DAYS), pruned_at__isnull=True)
    judged = Review.objects.filter(post=OuterRef("post"), withdrawn_at__isnull=True)
    waiting = Reading.objects.filter(version=OuterRef("pk"), stage__in=_WAITING)
    ended = Reading.objects.filter(version=OuterRef("pk"))
    present = Q(current_of__isnull=False)
    return old.exclude(present & (Exists(judged) | ~Exists(ended))).exclude(Exists(waiting)).order_by("pk")


def _prune_bodies(ids: list[int], now: datetime) -> int:
    with transaction.atomic():
        # Posts first, as visits and recordings lock them.
        posts = PostVersion.objects.filter(pk__in=ids).values("post")
        list(Post.objects.select_for_update(no_key=True).filter(pk__in=posts).order_by("pk").values_list("pk"))
        versions = list(old_bodies(now).filter(pk__in=ids))
        for version in versions:
            version.text, version.pruned_at = blanked(version.text, _kept(version)), now
        PostVersion.objects.bulk_update(versions, ["text", "pruned_at"])
    return len(versions)


def _old_feed_words(now: datetime) -> QuerySet[Sighting]:
    """What feeds said of posts whose present body has gone; not where a visit is due, which may be to read it."""
    if not settings.BODY_DAYS:
        return Sighting.objects.none()
    told = Sighting.objects.filter(post__current_version__pruned_at__isnull=False).exclude(text="")
    return told.exclude(post__due_at__isnull=False, post__due_at__lte=now).order_by("pk")


def _prune_feed_words(ids: list[int], now: datetime) -> int:
    with transaction.atomic():
        # A poll that holds some waits for others, and for their posts; we wait for none of it: the next turn has them.
        due = _old_feed_words(now).filter(pk__in=ids).select_for_update(skip_locked=True, of=("self",))
        held = list(due.values_list("pk", flat=True))
        # Asked again: a poll may have written other words and made the post due just before we held them.
        return Sighting.objects.filter(pk__in=_old_feed_words(now).filter(pk__in=held)).update(text="")


def blanked(text: str, kept: Iterable[Part]) -> str:
    """`text` with blanks for every sign outside the `kept` parts. Lines stay lines, so paragraphs stay apart."""
    made, at = [], 0
    for start, end in sorted(kept):
        made.append(_blanks(text[at:start]))
        made.append(text[max(at, start) : end])
        at = max(at, end)
    return "".join([*made, _blanks(text[at:])])


def _blanks(text: str) -> str:
    return "".join("\n" if sign == "\n" else " " for sign in text)


def _kept(version: PostVersion) -> Iterator[Part]:
    yield 0, version.title_end
    yield from Mention.objects.filter(reading__version=version).values_list("start", "end").distinct()
    said = current.assertions().filter(reading__version=version).select_related("head_mention", "tail_mention")
    for assertion in said:
        ends = sorted((m.start, m.end) for m in (assertion.head_mention, assertion.tail_mention))
        (start, first_end), (last_start, end) = ends
        if end - start <= FAR:
            yield _with_surroundings(version.text, start, end)
        else:
            yield _with_surroundings(version.text, start, first_end)
            yield _with_surroundings(version.text, last_start, end)


def _with_surroundings(text: str, start: int, end: int) -> Part:
    """The part with what stands around it in its paragraph, whole words only."""
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
    """Readings that may go: ended, nobody's current one, and with no statement that a verdict in force is about."""
    named = Assertion.objects.filter(
        reading=OuterRef("pk"),
        statement__reviews__post=F("reading__version__post"),
        statement__reviews__withdrawn_at__isnull=True,
    )
    return Reading.objects.filter(current_of__isnull=True).exclude(stage__in=_WAITING).exclude(Exists(named))


def spare_readings() -> int:
    """How many readings are due to go."""
    return sum(len(_spare(post)) for post in _overfull().iterator())


def _prune_readings(ids: list[int]) -> int:
    with transaction.atomic():
        posts = Post.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
        gone = [reading for post in list(posts) for reading in _spare(post)]
        Reading.objects.filter(pk__in=gone).delete()
    return len(gone)


def _spare(post: Post) -> list[int]:
    """The oldest go, until as many are left as are kept; the current one counts among these."""
    ended = Reading.objects.filter(version__post=post).exclude(stage__in=_WAITING)
    # Dropped ones said nothing, so they go first; then the oldest.
    superseded = list(_superseded().filter(version__post=post).order_by("-read_at", "-pk"))
    superseded.sort(key=lambda one: one.stage == Reading.Stage.DROPPED)
    spare = ended.count() - settings.READINGS_KEPT
    return [one.pk for one in superseded[max(len(superseded) - spare, 0) :]] if spare > 0 else []


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
