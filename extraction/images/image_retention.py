"""Delete the copies of pictures after PICTURE_DAYS. Detections stay, and so does the small copy that networks read and
that is never shown: a post can be analysed again with the same inputs."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from extraction.images.detection import make_reading_copy
from extraction.models import PostImage, RegionSet

BATCH = 50


def old_pictures() -> QuerySet[PostImage]:
    """Pictures whose copies are to be deleted; where a detector is set, only after detection; none if PICTURE_DAYS is
    0."""
    if not settings.PICTURE_DAYS:
        return PostImage.objects.none()
    old = timezone.now() - timedelta(days=settings.PICTURE_DAYS)
    rows = PostImage.objects.filter(post__seen_at__lt=old).exclude(file="")
    if settings.DETECTOR_WEIGHTS is not None:
        rows = rows.filter(Exists(RegionSet.objects.filter(sha256=OuterRef("sha256"))))
    return rows.order_by("pk")


def delete_old_copies(limit: int = BATCH) -> int:
    """Delete the copies of at most `limit` pictures; returns how many."""
    chosen = list(old_pictures()[:limit])
    for image in chosen:
        make_reading_copy(image)
    with transaction.atomic():
        PostImage.objects.filter(pk__in=[image.pk for image in chosen]).update(
            file="", thumbnail="", let_go_at=timezone.now(), due_at=None
        )
    files = {name for image in chosen for name in (image.file, image.thumbnail) if name}
    # A younger post may show the same picture.
    in_use = set(PostImage.objects.filter(file__in=files).values_list("file", flat=True))
    in_use |= set(PostImage.objects.filter(thumbnail__in=files).values_list("thumbnail", flat=True))
    for name in sorted(files - in_use):
        default_storage.delete(name)
    return len(chosen)
