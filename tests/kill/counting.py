"""Counts lost and doubled posts and assertions, against a second extraction without interruptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Count, F

from extraction.models import Post, Reading, Sighting
from extraction.readings import reader_from_settings
from extraction.schema import Document, Extraction
from knowledge.models import Assertion, Mention, Projection
from knowledge.recording import recorder

BATCH = 16
# A score this near the floor may fall on either side of it when posts are batched in another way.
NEAR_THE_FLOOR = 1e-3


@dataclass
class Counts:
    """The printed counts. Those that `wrong` names must be zero."""

    wanted: int = 0
    posts: int = 0
    read: int = 0
    mentions: int = 0
    assertions: int = 0
    doubled: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    excused: int = 0

    @property
    def wrong(self) -> bool:
        return bool(self.doubled.total() or self.lost.total() or self.read != self.posts or not self.assertions)


def state() -> tuple[int, int, int, int]:
    """Sightings, readings done, readings to do, stale graph updates: changes while there is progress."""
    stages = dict(Reading.objects.values_list("stage").annotate(n=Count("pk")).order_by())
    waiting = stages.pop(Reading.Stage.READ, 0)
    behind = Projection.objects.filter(done__lt=F("wanted")).count()
    return Sighting.objects.count(), sum(stages.values()), waiting, behind


def quiet(wanted: int) -> bool:
    """Whether every wanted page was listed, fetched and analysed, and the graph is up to date."""
    seen, _, waiting, behind = state()
    unread = Post.objects.filter(current_reading__isnull=True).exists()
    return seen >= wanted and not waiting and not behind and not unread


def count(wanted: int) -> Counts:
    counts = Counts(wanted=wanted, posts=Post.objects.count(), read=Post.objects.exclude(current_reading=None).count())
    counts.mentions, counts.assertions = Mention.objects.count(), Assertion.objects.count()
    counts.lost["sightings"] = wanted - Sighting.objects.count()
    _count_doubled(counts)
    for post, extraction in _read_again():
        _compare(counts, post, extraction)
    return counts


def _count_doubled(counts: Counts) -> None:
    """Counts duplicates by content, not by the tables' own unique keys."""
    links = Post.objects.exclude(link="").values("link").annotate(n=Count("pk")).filter(n__gt=1)
    counts.doubled["posts"] = links.count()
    texts = (
        Post.objects.filter(sightings__isnull=False)
        .values("pk", "versions__text_hash")
        .annotate(n=Count("versions", distinct=True))
    )
    counts.doubled["versions"] = texts.filter(n__gt=1).count()
    places = (
        "reading",
        "relation",
        "head_mention__start",
        "head_mention__end",
        "tail_mention__start",
        "tail_mention__end",
    )
    counts.doubled["assertions"] = Assertion.objects.values(*places).annotate(n=Count("pk")).filter(n__gt=1).count()


def _read_again() -> Iterator[tuple[Post, Extraction]]:
    reader = reader_from_settings.load()
    posts = (
        Post.objects.exclude(current_reading=None).select_related("current_version", "current_reading").order_by("pk")
    )
    held = list(posts)
    for start in range(0, len(held), BATCH):
        batch = held[start : start + BATCH]
        versions = [post.current_reading.version for post in batch if post.current_reading]
        documents = [Document(str(v.post_id), v.text, v.title_end, language=v.language) for v in versions]
        yield from zip(batch, reader.read(documents), strict=True)


def _compare(counts: Counts, post: Post, extraction: Extraction) -> None:
    """Compares the two sets by the ids that the recorder gives assertions."""
    reading = post.current_reading
    assert reading is not None
    planned = recorder.plan(
        extraction,
        post=post.public_id,
        ordinal=reading.version.ordinal,
        digest=reading.checkpoint.digest,
        inputs=reading.inputs,
    )
    expected = {assertion.public_id: assertion.score for assertion in planned.assertions}
    held = dict(Assertion.objects.filter(reading=reading).values_list("public_id", "score"))
    floor = reading.checkpoint.floor
    for scores, name, tally in ((expected, "assertions", counts.lost), (held, "invented assertions", counts.doubled)):
        other = held if scores is expected else expected
        for public_id in scores.keys() - other.keys():
            if abs(scores[public_id] - floor) < NEAR_THE_FLOOR:
                counts.excused += 1
            else:
                tally[name] += 1
