"""A post's pictures for its page: what was seen in each, what rests on it, where else the photograph stands."""

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

PARTS = range(4)  # of a look; the index over each finds the candidates
MOST_ALIKE = 12
MOST_HEATS = 6
SAME = 1e-3  # of a box's numbers


@dataclass(frozen=True)
class ShownRegion:
    """A region with its key on the page, its number in the list, and its box in the pixels of the copy; `picture`: the
    number of the picture, 0 where the post has only one."""

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
    """`number`: among the post's pictures, 0 where it has only one. `left_out`: why the reader was not given it."""

    image: PostImage
    seen: RegionSet | None = None
    number: int = 0
    left_out: str = ""
    regions: list[ShownRegion] = field(default_factory=list)
    scene: scenes.Scene | None = None
    alike: list[Post] = field(default_factory=list)
    heats: list[attention.Heat] = field(default_factory=list)
    depicted: list[Any] = field(default_factory=list)
    """Whom it shows, as `knowledge.views.posts.depictions` finds."""
    perhaps: list[Any] = field(default_factory=list)
    """Whom it might show, which nobody has judged yet."""


@dataclass(frozen=True)
class SupportingRegion:
    """A region on which a statement rests."""

    key: str
    label: str
    weight: float


def shown_pictures(post: Post) -> list[ShownPicture]:
    """Of a post whose images have been fetched with it, the lead picture first."""
    images = list(post.images.all())
    sets = {row.sha256: row for row in RegionSet.objects.filter(sha256__in=_contents(images)).order_by("seen_at")}
    found = [ShownPicture(image, sets.get(image.sha256)) for image in images]
    several = _given(found)
    for number, one in enumerate(several, 1):
        one.number = number if len(several) > 1 else 0
    for one in found:
        _fill(one)
    _say_left_out(post, several)
    _add_alike(post, found)
    return found


def _given(pictures: Iterable[ShownPicture]) -> list[ShownPicture]:
    """Those that readers are given, as `extraction.images.detection` chooses them."""
    return [one for one in pictures if one.image.sha256][: settings.PICTURES_PER_POST]


def picture_of(reference: Mapping[str, Any], pictures: Iterable[ShownPicture]) -> ShownPicture | None:
    """The picture that a reading speaks of: by its content, since one that came later may stand before the others;
    by its number where the reader did not know its content."""
    given = _given(pictures)
    if reference.get("picture"):
        return next((one for one in given if one.image.sha256 == reference["picture"]), None)
    place = reference.get("image", 0)
    return given[place] if 0 <= place < len(given) else None


LEFT_OUT = {
    "leading": "The reader uses only the lead picture, so this one is no evidence for any statement.",
    "regions": "The reader uses the regions with the highest confidence of all pictures; none is in this one.",
    "each": "The reader did not use this picture.",
}


def _say_left_out(post: Post, pictures: Iterable[ShownPicture]) -> None:
    kept = post.current_reading.results.get("pictures", {}) if post.current_reading else {}
    for one in pictures if kept else ():
        if one.image.sha256 not in kept["given"]:
            one.left_out = LEFT_OUT.get(kept["takes"], "")


def _contents(images: Iterable[PostImage]) -> set[str]:
    return {image.sha256 for image in images if image.sha256}


def _fill(one: ShownPicture) -> None:
    rows = one.seen.regions if one.seen and one.image.width else []
    one.regions = [_region(one, number, row, str(number)) for number, row in enumerate(rows)]
    if one.seen and one.regions:
        one.scene = scenes.draw(rows, one.seen.scene, [region.key for region in one.regions])


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


def _add_alike(post: Post, found: Sequence[ShownPicture]) -> None:
    """Live posts that show the same photograph: the same file, or one that looks the same."""
    images = [one.image for one in found if one.image.sha256]
    if not images:
        return
    parts = {f"part{place}": Substr("look", 1 + 4 * place, 4) for place in PARTS}
    same = Q(sha256__in=_contents(images))
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
    for one in found:
        one.alike = list(by_image[one.image.pk].values())[:MOST_ALIKE]


def join(quintuples: Iterable[Quintuple], pictures: Sequence[ShownPicture]) -> None:
    """Gives each statement the regions that it rests on. A region that is in no list any more is drawn all the same."""
    chosen = list(quintuples)
    places = [place for quintuple in chosen for place in quintuple.places]
    rows: dict[int, list[Evidence]] = defaultdict(list)
    kind = Evidence.Kind.REGION
    for row in Evidence.objects.filter(assertion__in=[p.assertion.pk for p in places], kind=kind).order_by("-weight"):
        rows[row.assertion_id].append(row)
    for quintuple in chosen:
        found = [_support(row, pictures) for place in quintuple.places for row in rows[place.assertion.pk]]
        # A statement that stands in several places rests on a region as much as the place that looked at it most.
        found.sort(key=lambda one: one.weight if one else 0.0)
        quintuple.regions = list({one.key: one for one in found if one}.values())
        quintuple.regions.sort(key=lambda one: -one.weight)


def _support(row: Evidence, pictures: Sequence[ShownPicture]) -> SupportingRegion | None:
    one = picture_of(row.reference, pictures)
    if one is None or "box" not in row.reference or not one.image.width:
        return None
    known = region_of(one, row.reference)
    return SupportingRegion(known.key, known.name, row.weight)


def region_of(one: ShownPicture, said: Mapping[str, Any]) -> ShownRegion:
    """The region of the picture with that box; drawn anew where a later detector does not find it any more."""
    known = _drawn(one, said)
    if known is None:
        known = _region(one, len(one.regions), said, f"e{len(one.regions)}")
        one.regions.append(known)
    return known


def _drawn(one: ShownPicture, said: Mapping[str, Any]) -> ShownRegion | None:
    return next((region for region in one.regions if _same(region.box, said["box"])), None)


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= SAME for a, b in zip(one, other, strict=True))


def pairings(
    quintuples: Sequence[Quintuple], pictures: Sequence[ShownPicture], grids: Sequence[attention.Grid]
) -> list[alignment.Pairing]:
    """Statements beside the regions that their words looked at most, where the reading kept what they looked at."""
    scene: dict[tuple[str, str], str] = {}
    for one in pictures if grids else ():
        edges = one.seen.scene if one.seen and one.regions else []
        for edge in sorted(edges, key=lambda said: (said["kind"] == "interaction", said["score"])):
            scene[one.regions[edge["subject"]].key, one.regions[edge["object"]].key] = edge["predicate"]
    return alignment.pairings(quintuples, grids, scene)


def grids_of(post: Post, pictures: Sequence[ShownPicture]) -> list[attention.Grid]:
    """What the reading's words looked at of regions, in the pictures as they are shown."""
    kept = post.current_reading.results.get("grids", []) if post.current_reading else []
    return [
        attention.Grid(grid["spans"], grid["weights"], tuple(_column(said, pictures) for said in grid["regions"]))
        for grid in kept
        if grid["kind"] == "region" and grid.get("regions")
    ]


def _column(said: Mapping[str, Any], pictures: Sequence[ShownPicture]) -> tuple[str, str]:
    """Key and name of a region; one that a later detector does not find has no key, and is not drawn for this alone."""
    one = picture_of(said, pictures)
    known = _drawn(one, said) if one else None
    return (known.key, known.name) if known else ("", said["class"])


def add_heats(
    post: Post, version: PostVersion | None, mentions: Sequence[Mention], pictures: Sequence[ShownPicture]
) -> None:
    """Gives each picture the maps of what words looked at in it."""
    reading = post.current_reading
    for grid in reading.results.get("grids", []) if version and reading else ():
        one = picture_of(grid, pictures)
        if version and one and grid["kind"] == "patch":
            wanted = [(m.start, m.end) for m in mentions]
            one.heats += attention.heats(grid, version.text, one.image.width, one.image.height, wanted)
            one.heats = one.heats[:MOST_HEATS]
