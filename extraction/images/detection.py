"""Detection in posts' pictures: once per content and detector, stored, and passed to readers with the text.

A picture is due once its copy is kept (`PostImage.due_at`); those of a post that is being analysed go first. A claim
postpones a picture by LEASE and counts an attempt: after MAX_ATTEMPTS at which the worker died, the picture gets an
error and is not tried again, so that no picture keeps a post from being analysed.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from extraction import leases
from extraction.models import PostImage, RegionSet
from extraction.schema import UNKNOWN_SOURCES, Claimed, Document, ImageSources, Region, SceneEdge

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from extraction.vision.image_analysis import ImageAnalyser, ImageContent

logger = logging.getLogger(__name__)

BATCH = 16
LEASE = timedelta(minutes=10)
MAX_ATTEMPTS = 3
READING_SIDE = 512  # pixels of the longer side of the copy that networks read
DETECTOR_SIDE = (
    640  # pixels of the longer side that detectors take at most: a larger copy is scaled down while decoding
)
DIED = (
    f"The detector stopped unexpectedly {MAX_ATTEMPTS} times on this picture. "
    "`manage.py see_pictures --again` retries it."
)


def due() -> bool:
    """Whether any picture waits for detection."""
    return PostImage.objects.filter(due_at__lte=timezone.now()).exclude(file="").exists()


def make_due(images: QuerySet[PostImage]) -> int:
    """Make these pictures due and delete their errors; returns how many."""
    # First, because which pictures failed is known by the rows that are deleted next.
    count = images.exclude(file="").update(due_at=timezone.now(), attempts=0)
    RegionSet.objects.filter(sha256__in=PostImage.objects.filter(due_at__isnull=False).values("sha256")).exclude(
        error=""
    ).delete()
    return count


def detect_due(analyser: ImageAnalyser, limit: int = BATCH) -> int:
    """Claim due pictures and run the detector on them; returns how many were claimed."""
    rows = leases.claim(PostImage.objects.exclude(file=""), limit, LEASE, attempts=F("attempts") + 1)
    _detect(analyser, rows)
    return len(rows)


def with_pictures(claims: Sequence[Claimed], analyser: ImageAnalyser | None) -> list[Claimed]:
    """The claims, their documents with pictures, regions and scene graphs; detection runs now where it has not yet."""
    pictures = _pictures([claimed.document.id for claimed in claims])
    images = [image for rows in pictures.values() for image in rows]
    if not images:
        return list(claims)
    known = _known(images, analyser)
    if analyser is not None:
        undetected = [image for image in images if image.sha256 not in known and image.file]
        PostImage.objects.filter(pk__in=[image.pk for image in undetected]).update(
            due_at=timezone.now() + LEASE, attempts=F("attempts") + 1
        )
        known |= _detect(analyser, undetected)
    return [
        replace(claimed, document=_with(claimed.document, pictures[claimed.document.id], known)) for claimed in claims
    ]


def features_of(row: RegionSet) -> dict[str, np.ndarray]:
    """The stored arrays of a picture: `features` of its regions (k, d), `depth` (side, side); {} without any."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(Path(settings.FEATURES_ROOT) / row.features) if row.features else {}
    except (OSError, SafetensorError) as error:
        logger.warning("The features of picture %s cannot be read: %s", row.sha256, error)
        return {}


def reading_copy(sha256: str) -> Path:
    """The path of the small copy that networks read, which is kept when the one for display is deleted."""
    return Path(settings.FEATURES_ROOT) / sha256[:2] / f"{sha256}.jpg"


def make_reading_copy(image: PostImage) -> Path | None:
    """The small copy, created where it does not exist; None where the picture cannot be opened any more."""
    place = reading_copy(image.sha256)
    if place.is_file():
        return place
    picture = _opened(image)
    return None if picture is None else _small(picture, image)


def _small(picture: Image.Image, image: PostImage) -> Path:
    place = reading_copy(image.sha256)
    if not place.is_file():
        small = picture.copy()
        small.thumbnail((READING_SIDE, READING_SIDE))
        place.parent.mkdir(parents=True, exist_ok=True)
        small.save(draft := place.with_suffix(f".{image.pk}.draft"), "JPEG", quality=90)
        draft.replace(place)
    return place


def _opened(image: PostImage) -> Image.Image | None:
    """The kept copy, upright in RGB, a large one scaled down to about DETECTOR_SIDE; None where it is gone."""
    from PIL import Image

    try:
        with Image.open(Path(settings.MEDIA_ROOT) / image.file, formats=("JPEG",)) as result:
            share = DETECTOR_SIDE / max(result.size)
            result.draft("RGB", (max(1, round(result.width * share)), max(1, round(result.height * share))))
            return result.convert("RGB")
    except (OSError, ValueError) as error:
        logger.warning("The copy of picture %s cannot be opened: %s", image.pk, error)
        return None


def _pictures(posts: Iterable[str]) -> dict[str, list[PostImage]]:
    """The pictures of each post by its public id, the lead picture first; only those that have been fetched."""
    result: dict[str, list[PostImage]] = defaultdict(list)
    rows = PostImage.objects.filter(post__public_id__in=list(posts)).exclude(sha256="").select_related("post")
    for row in rows.order_by("position", "pk"):
        if len(result[str(row.post.public_id)]) < settings.PICTURES_PER_POST:
            result[str(row.post.public_id)].append(row)
    return result


def _known(images: Iterable[PostImage], analyser: ImageAnalyser | None) -> dict[str, RegionSet]:
    """Stored detections of this analyser by picture; without one, and for deleted copies, those of the latest
    detector."""
    rows = RegionSet.objects.filter(sha256__in={image.sha256 for image in images}).order_by("seen_at")
    gone = {image.sha256 for image in images if not image.file}
    return {
        row.sha256: row for row in rows if analyser is None or row.detector == analyser.version or row.sha256 in gone
    }


def _detect(analyser: ImageAnalyser, images: Sequence[PostImage]) -> dict[str, RegionSet]:
    """Run detection once per content and store the results in one transaction, which is not open meanwhile."""
    from extraction.vision.image_analysis import ImageContent

    first = {image.sha256: image for image in images}
    result = _known(first.values(), analyser)
    missing = [image for sha256, image in first.items() if sha256 not in result]
    to_try = [image for image in missing if image.attempts < MAX_ATTEMPTS]
    pixels = {image.sha256: array for image in to_try if (array := _pixels(image)) is not None}
    results = zip(pixels, analyser.analyse(list(pixels.values())), strict=True)
    rows = [_row(sha256, analyser.version, content) for sha256, content in results]
    for image in missing:
        if image.attempts >= MAX_ATTEMPTS:
            rows.append(_row(image.sha256, analyser.version, ImageContent(missing=("detector",), error=DIED)))
    with transaction.atomic():
        RegionSet.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["sha256", "detector"], update_fields=list(_DETECTED)
        )
        PostImage.objects.filter(sha256__in=list(first)).update(due_at=None, attempts=0)
    return result | {row.sha256: row for row in rows}


def _pixels(image: PostImage) -> np.ndarray | None:
    """The copy that is shown, upright (height, width, 3), decoded once for this and the small copy; None: it is
    gone."""
    import numpy as np

    picture = _opened(image)
    if picture is None:
        return None
    _small(picture, image)
    return np.asarray(picture)


_DETECTED = ("regions", "scene", "features", "missing", "error", "seen_at")


def _row(sha256: str, version: str, content: ImageContent) -> RegionSet:
    """An unsaved row of the results; the features are written to their file."""
    return RegionSet(
        sha256=sha256,
        detector=version,
        seen_at=timezone.now(),
        regions=[
            {"box": list(one.box), "class": one.label, "score": one.score, "depth": one.depth}
            for one in content.regions
        ],
        scene=[
            {
                **{"subject": edge.subject, "object": edge.object, "predicate": edge.predicate},
                **{"kind": edge.kind, "score": round(edge.score, 4)},
            }
            for edge in content.edges
        ],
        features=_keep_features(sha256, version, content),
        missing=list(content.missing),
        error=content.error,
    )


def _keep_features(sha256: str, version: str, content: ImageContent) -> str:
    import numpy as np
    from safetensors.numpy import save_file

    known = [region.features for region in content.regions if region.features is not None]
    arrays = {} if content.depth is None else {"depth": content.depth}
    if known and len(known) == len(content.regions):
        arrays["features"] = np.stack(known)
    if not arrays:
        return ""
    name = f"{sha256[:2]}/{sha256}-{hashlib.sha256(version.encode()).hexdigest()[:12]}.safetensors"
    place = Path(settings.FEATURES_ROOT) / name
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(".draft")
    save_file(arrays, draft, metadata={"detector": version})
    draft.replace(place)
    return name


def _with(document: Document, images: Sequence[PostImage], known: dict[str, RegionSet]) -> Document:
    """The document with its pictures' small copies, regions and scene; indexes count over all its pictures."""
    files: list[str] = []
    contents, captions = tuple(one.sha256 for one in images), tuple(one.caption for one in images)
    regions: list[Region] = []
    scene: list[SceneEdge] = []
    for place, image in enumerate(images):
        copy = reading_copy(image.sha256)
        files.append(str(copy) if copy.is_file() or (image.file and make_reading_copy(image)) else "")
        row = known.get(image.sha256)
        if row is not None:
            first = len(regions)
            regions += _with_features([region_of(one, place) for one in row.regions], features_of(row))
            scene += [_edge_of(one, first) for one in row.scene]
    return replace(
        document,
        images=tuple(files),
        regions=tuple(regions),
        scene=tuple(scene),
        contents=contents,
        captions=captions,
        detected=all(row is not None and not row.error for row in map(known.get, contents)),
        sources=_sources([row for row in map(known.get, contents) if row is not None and not row.error]),
    )


def _with_features(regions: list[Region], arrays: dict[str, np.ndarray]) -> list[Region]:
    """The regions with what describes them, where it was kept."""
    found = arrays.get("features", ())
    if len(found) != len(regions):
        return regions
    return [replace(region, features=own) for region, own in zip(regions, found, strict=True)]


def _sources(rows: Sequence[RegionSet]) -> ImageSources:
    """What analysed these pictures; not known where they were not analysed alike."""
    versions = {row.detector for row in rows}
    return ImageSources.parsed(versions.pop()) if len(versions) == 1 else UNKNOWN_SOURCES


def region_of(row: dict[str, Any], image: int = 0) -> Region:
    """A region of RegionSet.regions, in the picture of that number."""
    x, y, w, h = row["box"]
    return Region((x, y, w, h), row["class"], row["score"], image, row.get("depth", 0.0))


def _edge_of(row: dict[str, Any], first: int) -> SceneEdge:
    return SceneEdge(first + row["subject"], first + row["object"], row["predicate"], row["kind"], row["score"])
