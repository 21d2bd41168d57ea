"""What posts' pictures show: looked at once, kept by content and detector, and given to readers with the words.

Pictures are due when their copy is kept (`PostImage.due_at`), and those of a post that is read are looked at first. A
claim puts a picture off by LEASE and counts: one whose looker died TRIED times is left alone and says so, so that no
picture keeps a post from being read.
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
from extraction.schema import Claimed, Document, Region, SceneEdge

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from extraction.vision.image_analysis import Seen, Sight

logger = logging.getLogger(__name__)

BATCH = 16
LEASE = timedelta(minutes=10)
TRIED = 3
READING_SIDE = 512  # pixels of the longer side of the copy that networks read
LOOKED_AT = 640  # pixels of the longer side that detectors take at most: a larger copy is decoded at a fraction
DIED = f"The detector stopped unexpectedly {TRIED} times on this picture. `manage.py see_pictures --again` retries it."


def due() -> bool:
    """Whether any picture waits to be looked at."""
    return PostImage.objects.filter(due_at__lte=timezone.now()).exclude(file="").exists()


def again(images: QuerySet[PostImage]) -> int:
    """Makes these pictures due, and forgets what went wrong with them; how many."""
    # First: which pictures failed is read off the rows that are deleted next.
    count = images.exclude(file="").update(due_at=timezone.now(), attempts=0)
    RegionSet.objects.filter(sha256__in=PostImage.objects.filter(due_at__isnull=False).values("sha256")).exclude(
        error=""
    ).delete()
    return count


def look_at_due(sight: Sight, limit: int = BATCH) -> int:
    """Claims due pictures and looks at them; how many were claimed."""
    rows = leases.claim(PostImage.objects.exclude(file=""), limit, LEASE, attempts=F("attempts") + 1)
    _look(sight, rows)
    return len(rows)


def with_pictures(claims: Sequence[Claimed], sight: Sight | None) -> list[Claimed]:
    """The claims, their documents with pictures and what these show, looked at now where nobody has yet."""
    shown = _shown([claimed.document.id for claimed in claims])
    images = [image for found in shown.values() for image in found]
    if not images:
        return list(claims)
    known = _known(images, sight)
    if sight is not None:
        unseen = [image for image in images if image.sha256 not in known and image.file]
        PostImage.objects.filter(pk__in=[image.pk for image in unseen]).update(
            due_at=timezone.now() + LEASE, attempts=F("attempts") + 1
        )
        known |= _look(sight, unseen)
    return [replace(claimed, document=_with(claimed.document, shown[claimed.document.id], known)) for claimed in claims]


def features_of(row: RegionSet) -> dict[str, np.ndarray]:
    """What was kept of a picture beside its regions: `vectors` (objects, d), `depth` (side, side); {} where nothing."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(Path(settings.FEATURES_ROOT) / row.features) if row.features else {}
    except (OSError, SafetensorError) as error:
        logger.warning("What was kept of picture %s cannot be read: %s", row.sha256, error)
        return {}


def reading_copy(sha256: str) -> Path:
    """Where the small copy lies that networks read, whatever becomes of the one that is shown."""
    return Path(settings.FEATURES_ROOT) / sha256[:2] / f"{sha256}.jpg"


def make_reading_copy(image: PostImage) -> Path | None:
    """The small copy, made where it is not there; None where the picture cannot be opened any more."""
    place = reading_copy(image.sha256)
    if place.is_file():
        return place
    whole = _opened(image)
    return None if whole is None else _small(whole, image)


def _small(whole: Image.Image, image: PostImage) -> Path:
    place = reading_copy(image.sha256)
    if not place.is_file():
        small = whole.copy()
        small.thumbnail((READING_SIDE, READING_SIDE))
        place.parent.mkdir(parents=True, exist_ok=True)
        small.save(draft := place.with_suffix(f".{image.pk}.draft"), "JPEG", quality=90)
        draft.replace(place)
    return place


def _opened(image: PostImage) -> Image.Image | None:
    """The kept copy, upright in RGB, a large one at the fraction of its size that is still LOOKED_AT; None where it is
    gone."""
    from PIL import Image

    try:
        with Image.open(Path(settings.MEDIA_ROOT) / image.file, formats=("JPEG",)) as found:
            share = LOOKED_AT / max(found.size)
            found.draft("RGB", (max(1, round(found.width * share)), max(1, round(found.height * share))))
            return found.convert("RGB")
    except (OSError, ValueError) as error:
        logger.warning("The copy of picture %s cannot be opened: %s", image.pk, error)
        return None


def _shown(posts: Iterable[str]) -> dict[str, list[PostImage]]:
    """The pictures of each post by its public id, the lead picture first; those of which something is left."""
    found: dict[str, list[PostImage]] = defaultdict(list)
    rows = PostImage.objects.filter(post__public_id__in=list(posts)).exclude(sha256="").select_related("post")
    for row in rows.order_by("position", "pk"):
        if len(found[str(row.post.public_id)]) < settings.PICTURES_PER_POST:
            found[str(row.post.public_id)].append(row)
    return found


def _known(images: Iterable[PostImage], sight: Sight | None) -> dict[str, RegionSet]:
    """What was seen in these pictures by this sight; without one, and of those let go, by the last that looked."""
    rows = RegionSet.objects.filter(sha256__in={image.sha256 for image in images}).order_by("seen_at")
    gone = {image.sha256 for image in images if not image.file}
    return {row.sha256: row for row in rows if sight is None or row.detector == sight.version or row.sha256 in gone}


def _look(sight: Sight, images: Sequence[PostImage]) -> dict[str, RegionSet]:
    """Looks at each content once and keeps what it shows, all in one go; nothing is held open meanwhile."""
    from extraction.vision.image_analysis import Seen

    first = {image.sha256: image for image in images}
    found = _known(first.values(), sight)
    wanted = [image for sha256, image in first.items() if sha256 not in found]
    tried = [image for image in wanted if image.attempts < TRIED]
    pixels = {image.sha256: array for image in tried if (array := _pixels(image)) is not None}
    looked = zip(pixels, sight.look(list(pixels.values())), strict=True)
    made = [_row(sha256, sight.version, seen) for sha256, seen in looked]
    for image in wanted:
        if image.attempts >= TRIED:
            made.append(_row(image.sha256, sight.version, Seen(missing=("detector",), error=DIED)))
    with transaction.atomic():
        RegionSet.objects.bulk_create(
            made, update_conflicts=True, unique_fields=["sha256", "detector"], update_fields=list(_SEEN)
        )
        PostImage.objects.filter(sha256__in=list(first)).update(due_at=None, attempts=0)
    return found | {row.sha256: row for row in made}


def _pixels(image: PostImage) -> np.ndarray | None:
    """The copy that is shown, upright (height, width, 3), decoded once for this and the small one; None: it is gone."""
    import numpy as np

    whole = _opened(image)
    if whole is None:
        return None
    _small(whole, image)
    return np.asarray(whole)


_SEEN = ("regions", "scene", "features", "missing", "error", "seen_at")


def _row(sha256: str, version: str, seen: Seen) -> RegionSet:
    """What is kept of it; its features are written to their file, the row is not saved."""
    return RegionSet(
        sha256=sha256,
        detector=version,
        seen_at=timezone.now(),
        regions=[
            {"box": list(one.box), "class": one.label, "score": one.score, "depth": one.depth} for one in seen.regions
        ],
        scene=[
            {
                **{"subject": edge.subject, "object": edge.object, "predicate": edge.predicate},
                **{"kind": edge.kind, "score": round(edge.score, 4)},
            }
            for edge in seen.edges
        ],
        features=_keep_features(sha256, version, seen),
        missing=list(seen.missing),
        error=seen.error,
    )


def _keep_features(sha256: str, version: str, seen: Seen) -> str:
    from safetensors.numpy import save_file

    arrays = {name: array for name, array in (("vectors", seen.vectors), ("depth", seen.depth)) if array is not None}
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
    """The document with the pictures' small copies, regions and scene; indexes count over all its pictures."""
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
            regions += [region_of(one, place) for one in row.regions]
            scene += [_edge_of(one, first) for one in row.scene]
    return replace(
        document,
        images=tuple(files),
        regions=tuple(regions),
        scene=tuple(scene),
        contents=contents,
        captions=captions,
        looked=all(row is not None and not row.error for row in map(known.get, contents)),
    )


def region_of(row: dict[str, Any], image: int = 0) -> Region:
    """A region of RegionSet.regions, in the picture of that number."""
    x, y, w, h = row["box"]
    return Region((x, y, w, h), row["class"], row["score"], image, row.get("depth", 0.0))


def _edge_of(row: dict[str, Any], first: int) -> SceneEdge:
    return SceneEdge(first + row["subject"], first + row["object"], row["predicate"], row["kind"], row["score"])
