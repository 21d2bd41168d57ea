"""The pictures of a post: their detected regions, the statements they support, and posts with the same photograph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Substr

from extraction.images.storage import look_alike
from extraction.models import Post, PostImage, PostVersion, RegionSet
from knowledge.models import Evidence, Mention
from knowledge.views.posts import alignment, attention
from knowledge.views.posts import scene_graph as scenes
from knowledge.views.posts.quintuples import Quintuple

PARTS = range(4)  # of a perceptual hash; the index over each part finds the candidates
MOST_ALIKE = 12
MOST_HEATS = 6
SAME = 1e-3  # tolerance for the numbers of a box


@dataclass(frozen=True)
class ShownRegion:
    """A region with its key on the page, its number in the list, and its box in pixels of the stored copy.

    `picture`: the number of the picture, 0 where the post has only one. `near`: how near it is, from its depth.
    """

    key: str
    number: int
    label: str
    picture: int
    score: float
    near: float
    x: float
    y: float
    width: float
    height: float
    box: tuple[float, ...]

    @property
    def name(self) -> str:
        return f"{self.number} {self.label}" + (f", picture {self.picture}" if self.picture else "")


@dataclass
class ShownPicture:
    """`number`: among the pictures of the post, 0 where it has only one. `left_out`: why the reader did not use it."""

    image: PostImage
    detected: RegionSet | None = None
    number: int = 0
    left_out: str = ""
    regions: list[ShownRegion] = field(default_factory=list)
    scene: scenes.Scene | None = None
    alike: list[Post] = field(default_factory=list)
    heats: list[attention.Heat] = field(default_factory=list)
    depicted: list[Any] = field(default_factory=list)
    """Its active or reviewed depictions, added by `knowledge.views.posts.depictions`."""
    possibly_depicted: list[Any] = field(default_factory=list)
    """Its depictions below the threshold that nobody has reviewed."""


@dataclass(frozen=True)
class SupportingRegion:
    """A region that is evidence of a statement."""

    key: str
    label: str
    weight: float


def shown_pictures(post: Post) -> list[ShownPicture]:
    """The pictures of a post, the lead picture first; its images must have been prefetched."""
    images = list(post.images.all())
    sets = {row.sha256: row for row in RegionSet.objects.filter(sha256__in=_hashes(images)).order_by("seen_at")}
    pictures = [ShownPicture(image, sets.get(image.sha256)) for image in images]
    inputs = _reader_inputs(pictures)
    for number, one in enumerate(inputs, 1):
        one.number = number if len(inputs) > 1 else 0
    for one in pictures:
        _add_regions(one)
    _explain_left_out(post, inputs)
    _add_alike(post, pictures)
    return pictures


def _reader_inputs(pictures: Iterable[ShownPicture]) -> list[ShownPicture]:
    """The pictures that readers take as input, as `extraction.images.detection` chooses them."""
    return [one for one in pictures if one.image.sha256][: settings.PICTURES_PER_POST]


def picture_of(reference: Mapping[str, Any], pictures: Iterable[ShownPicture]) -> ShownPicture | None:
    """The picture that a reading refers to: by its hash, or by its number where the reading has no hash.

    The hash comes first because a picture that was added later can precede the others.
    """
    inputs = _reader_inputs(pictures)
    if reference.get("picture"):
        return next((one for one in inputs if one.image.sha256 == reference["picture"]), None)
    place = reference.get("image", 0)
    return inputs[place] if 0 <= place < len(inputs) else None


LEFT_OUT = {
    "leading": "The reader uses only the lead picture, so this one is no evidence for any statement.",
    "regions": "The reader uses the regions with the highest confidence of all pictures; none is in this one.",
    "each": "The reader did not use this picture.",
}


def _explain_left_out(post: Post, pictures: Iterable[ShownPicture]) -> None:
    used = post.current_reading.results.get("pictures", {}) if post.current_reading else {}
    for one in pictures if used else ():
        if one.image.sha256 not in used["given"]:
            one.left_out = LEFT_OUT.get(used["takes"], "")


def _hashes(images: Iterable[PostImage]) -> set[str]:
    return {image.sha256 for image in images if image.sha256}


def _add_regions(one: ShownPicture) -> None:
    rows = one.detected.regions if one.detected and one.image.width else []
    one.regions = [_region(one, number, row, str(number)) for number, row in enumerate(rows)]
    if one.detected and one.regions:
        one.scene = scenes.draw(rows, one.detected.scene, [region.key for region in one.regions])


def _region(one: ShownPicture, number: int, row: Mapping[str, Any], name: str) -> ShownRegion:
    image, (x, y, w, h) = one.image, row["box"]
    return ShownRegion(
        f"{image.pk}-{name}",
        number + 1,
        row["class"],
        one.number,
        row.get("score", 0.0),
        row.get("depth", 0.0),
        round(x * image.width, 1),
        round(y * image.height, 1),
        round(w * image.width, 1),
        round(h * image.height, 1),
        (x, y, w, h),
    )


def _add_alike(post: Post, pictures: Sequence[ShownPicture]) -> None:
    """Add live posts with the same photograph: the same file, or one with a similar perceptual hash."""
    images = [one.image for one in pictures if one.image.sha256]
    if not images:
        return
    parts = {f"part{place}": Substr("look", 1 + 4 * place, 4) for place in PARTS}
    same = Q(sha256__in=_hashes(images))
    for look in {image.look for image in images if image.look}:
        for place in PARTS:
            same |= Q(**{f"part{place}": look[4 * place : 4 * place + 4]})
    others = PostImage.objects.annotate(**parts).filter(same, post__state=Post.State.LIVE).exclude(post=post)
    others = others.select_related("post__current_version").order_by("-post__published_at")[: 20 * MOST_ALIKE]
    by_image: dict[int, dict[int, Post]] = defaultdict(dict)
    for other in others:
        for image in images:
            if other.sha256 == image.sha256 or look_alike(other.look, image.look):
                by_image[image.pk][other.post_id] = other.post
    for one in pictures:
        one.alike = list(by_image[one.image.pk].values())[:MOST_ALIKE]


def join(quintuples: Iterable[Quintuple], pictures: Sequence[ShownPicture]) -> None:
    """Add to each statement the regions that are its evidence, also those that a later detector no longer finds."""
    chosen = list(quintuples)
    places = [place for quintuple in chosen for place in quintuple.places]
    rows: dict[int, list[Evidence]] = defaultdict(list)
    kind = Evidence.Kind.REGION
    for row in Evidence.objects.filter(assertion__in=[p.assertion.pk for p in places], kind=kind).order_by("-weight"):
        rows[row.assertion_id].append(row)
    for quintuple in chosen:
        regions = [_support(row, pictures) for place in quintuple.places for row in rows[place.assertion.pk]]
        # Of several places of a statement the one with the highest weight on a region counts.
        regions.sort(key=lambda one: one.weight if one else 0.0)
        quintuple.regions = list({one.key: one for one in regions if one}.values())
        quintuple.regions.sort(key=lambda one: -one.weight)


def _support(row: Evidence, pictures: Sequence[ShownPicture]) -> SupportingRegion | None:
    one = picture_of(row.reference, pictures)
    if one is None or "box" not in row.reference or not one.image.width:
        return None
    region = region_of(one, row.reference)
    return SupportingRegion(region.key, region.name, row.weight)


def region_of(one: ShownPicture, reference: Mapping[str, Any]) -> ShownRegion:
    """The region of the picture with that box; added where a later detector no longer finds it."""
    region = _listed(one, reference)
    if region is None:
        region = _region(one, len(one.regions), reference, f"e{len(one.regions)}")
        one.regions.append(region)
    return region


def _listed(one: ShownPicture, reference: Mapping[str, Any]) -> ShownRegion | None:
    return next((region for region in one.regions if _same(region.box, reference["box"])), None)


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= SAME for a, b in zip(one, other, strict=True))


def pairings(
    quintuples: Sequence[Quintuple], pictures: Sequence[ShownPicture], grids: Sequence[attention.Grid]
) -> list[alignment.Pairing]:
    """Statements beside the regions that their words attended to most, where the reading has attention weights."""
    scene: dict[tuple[str, str], str] = {}
    for one in pictures if grids else ():
        edges = one.detected.scene if one.detected and one.regions else []
        for edge in sorted(edges, key=lambda edge: (edge["kind"] == "interaction", edge["score"])):
            scene[one.regions[edge["subject"]].key, one.regions[edge["object"]].key] = edge["predicate"]
    return alignment.pairings(quintuples, grids, scene)


def grids_of(post: Post, pictures: Sequence[ShownPicture]) -> list[attention.Grid]:
    """The attention of the reading's words to regions, for the pictures as they are shown."""
    stored = post.current_reading.results.get("grids", []) if post.current_reading else []
    return [
        attention.Grid(grid["spans"], grid["weights"], tuple(_column(region, pictures) for region in grid["regions"]))
        for grid in stored
        if grid["kind"] == "region" and grid.get("regions")
    ]


def _column(reference: Mapping[str, Any], pictures: Sequence[ShownPicture]) -> tuple[str, str]:
    """Key and name of a region; without a key, and not drawn, where a later detector no longer finds it."""
    one = picture_of(reference, pictures)
    region = _listed(one, reference) if one else None
    return (region.key, region.name) if region else ("", reference["class"])


def add_heats(
    post: Post, version: PostVersion | None, mentions: Sequence[Mention], pictures: Sequence[ShownPicture]
) -> None:
    """Add to each picture the heat maps of the mentions' attention."""
    reading = post.current_reading
    for grid in reading.results.get("grids", []) if version and reading else ():
        one = picture_of(grid, pictures)
        if version and one and grid["kind"] == "patch":
            spans = [(m.start, m.end) for m in mentions]
            one.heats += attention.heats(grid, version.text, one.image.width, one.image.height, spans)
            one.heats = one.heats[:MOST_HEATS]
