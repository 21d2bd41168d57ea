"""Checks of the record: no unfinished work, no lease held past its time, no post left out without a reason.

For `manage.py check_record`. Work that is still due is `pending`; what waiting will not fix is `wrong`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from extraction.models import Deployment, Leased, Post, PostImage, Reading
from knowledge.models import Projection, ProjectorLock
from knowledge.record.projection_queue import store_names

GRACE = timedelta(minutes=2)  # a lease this long past its end should have been taken up by somebody
LONGEST_NAMES = 5  # how many of the rows that a finding is about are named
JPEG_END = b"\xff\xd9"
ENDED = (Reading.Stage.DONE, Reading.Stage.DECLINED, Reading.Stage.FAILED)


@dataclass(frozen=True, slots=True)
class Finding:
    """`message`: what was found and what to do; `about` names some of the rows."""

    kind: str
    count: int
    message: str
    about: tuple[str, ...] = ()
    pending: bool = False

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.about) else ""
        named = f" ({', '.join(self.about)}{more})" if self.about else ""
        return f"{'pending' if self.pending else 'WRONG'}: {self.count} {self.message}{named}"


def findings() -> list[Finding]:
    """Everything that is wrong or pending now, each kind once."""
    return [found for check in CHECKS for found in check(timezone.now()) if found.count]


def _unread(now: datetime) -> Iterator[Finding]:
    """Unfinished readings. Without a deployed checkpoint none is created."""
    waiting = Reading.objects.exclude(stage__in=(*ENDED, Reading.Stage.DROPPED))
    yield _finding("unread", waiting, "readings are not finished", pending=True)
    deployed = Deployment.objects.filter(active=True).values("checkpoint")
    orphaned = waiting.exclude(checkpoint__in=deployed)
    yield _finding("nobody's", orphaned, "readings wait for a checkpoint that is not deployed; deploy it again")


def _leases(now: datetime) -> Iterator[Finding]:
    for model in apps.get_models():
        if issubclass(model, Leased):
            late = model.objects.filter(lease_until__lt=now).exclude(lease_token="")  # type: ignore[attr-defined]
            name = model._meta.verbose_name_plural
            fresh, old = late.filter(lease_until__gte=now - GRACE), late.filter(lease_until__lt=now - GRACE)
            yield _finding("lease", fresh, f"{name} are held past their lease", pending=True)
            yield _finding("lease", old, f"{name} were held past their lease and not taken over; see the logs")


def _projectors(now: datetime) -> Iterator[Finding]:
    """Locks of stores past their lease. The next projector takes such a lock over by itself, so one that a killed
    process left is not wrong while no graph update waits for it; nor is that of a store that is no longer set up, nor
    while all stale graph updates were refused and are due later. Otherwise a projector should have come within the
    grace.
    """
    due = Projection.objects.filter(store=OuterRef("store"), done__lt=F("wanted"), due_at__lte=now)
    held = ProjectorLock.objects.filter(store__in=store_names()).exclude(token="")
    late = held.filter(Exists(due), until__lt=now)
    fresh, old = late.filter(until__gte=now - GRACE), late.filter(until__lt=now - GRACE)
    yield _finding(
        "projector", fresh, "projectors hold a store past their lease while graph updates wait", pending=True
    )
    yield _finding(
        "projector", old, "stores were held past the lease of their projector and not taken over; see the logs"
    )


def _posts(now: datetime) -> Iterator[Finding]:
    live = Post.objects.filter(state=Post.State.LIVE)
    unseen = live.filter(current_version__isnull=True)
    yield _finding("unvisited", unseen.filter(due_at__lte=now), "posts wait for a fetch", pending=True)
    silent = unseen.filter(due_at__isnull=True, error="")
    yield _finding("silent", silent, "posts have no text, no reason for it and no fetch to come; make them due again")
    own = Reading.objects.filter(version=OuterRef("current_version"))
    unread = live.filter(current_version__isnull=False, current_reading__isnull=True)
    excused = Q(Exists(own.filter(stage=Reading.Stage.FAILED))) | Q(Exists(own.exclude(stage__in=ENDED)))
    if Deployment.objects.filter(active=True).exists():
        yield _finding(
            "without", unread.exclude(excused), "live posts have a text but no reading, and no reason for it"
        )
    read = live.filter(current_version__isnull=False, current_reading__isnull=False)
    older = read.exclude(current_reading__version=F("current_version"))
    yield _finding("older", older.exclude(excused), "live posts show the reading of an older version for no reason")
    gone = Post.objects.filter(state=Post.State.ERASED).filter(
        Q(versions__isnull=False) | Q(images__isnull=False) | Q(current_reading__isnull=False)
    )
    yield _finding("erased", gone.distinct(), "erased posts still have texts or pictures; erase them again")


def _units(now: datetime) -> Iterator[Finding]:
    stale = Projection.objects.filter(done__lt=F("wanted"))
    yield _finding("unit", stale.filter(attempts=0), "graph updates are pending", pending=True)
    refused = "graph updates were refused; `manage.py check_parity` shows why"
    yield _finding("refused", stale.filter(attempts__gt=0), refused)


def _pictures(now: datetime) -> Iterator[Finding]:
    broken = list(broken_pictures())
    names = tuple(row.file for row in broken[:LONGEST_NAMES])
    message = "stored pictures are missing or truncated on disk; with --repair they are fetched again"
    yield Finding("picture", len(broken), message, names)


def broken_pictures() -> Iterator[PostImage]:
    """The pictures with a missing or truncated copy. The copies are ours, so they are JPEGs."""
    for row in PostImage.objects.exclude(file="").order_by("pk").iterator(chunk_size=500):
        if not all(map(_is_whole, _copies(row))):
            yield row


def _copies(row: PostImage) -> list[Path]:
    return [Path(settings.MEDIA_ROOT) / name for name in (row.file, row.thumbnail) if name]


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-len(JPEG_END), 2)
            return file.read() == JPEG_END
    except OSError:
        return False


def fetch_pictures_again() -> int:
    """Delete broken pictures and make their posts due; the number of pictures."""
    broken = list(broken_pictures())
    for row in broken:
        for path in _copies(row):
            path.unlink(missing_ok=True)
        same = PostImage.objects.filter(file=row.file)
        posts = Post.objects.filter(images__in=same.values("pk")).exclude(state=Post.State.ERASED)
        # without the ETag the whole page is fetched, and its picture with it
        due = list(posts.values_list("pk", flat=True))
        Post.objects.filter(pk__in=due).update(due_at=timezone.now(), etag="", last_modified="")
        same.update(file="", thumbnail="", error="The stored copy was damaged; it is fetched again.")
    return len(broken)


def _finding(kind: str, rows: QuerySet[Any], message: str, pending: bool = False) -> Finding:
    count = rows.count()
    about = tuple(str(row)[:200] for row in rows.order_by("pk")[:LONGEST_NAMES]) if count else ()
    return Finding(kind, count, message, about, pending)


CHECKS: tuple[Callable[[datetime], Iterator[Finding]], ...] = (
    _unread,
    _leases,
    _projectors,
    _posts,
    _units,
    _pictures,
)
