"""A post's pictures for its page: what was seen in each, what rests on it, where else the photograph stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Substr

from extraction.models import Post, PostImage, PostVersion, RegionSet
from knowledge.models import Evidence, Mention
from knowledge.views import aligned, attention
from knowledge.views import scene as scenes
from knowledge.views.quintuples import Quintuple

ALIKE = 3  # bits of a look's 64 in which two copies of one photograph may differ
PARTS = range(4)  # of a look; the index over each finds the candidates
MOST_ALIKE = 12
MOST_HEATS = 6
SAME = 1e-3  # of a box's numbers


@dataclass(frozen=True)
class ShownRegion:
    """A region with its key on the page, its number in the list, and its box in the pixels of the copy."""

    key: str
    number: int
    label: str
    score: float
    near: float
    x: float
    y: float
    width: float
    height: float
    box: tuple[float, ...]


@dataclass
class ShownPicture:
    image: PostImage
    seen: RegionSet | None = None
    regions: list[ShownRegion] = field(default_factory=list)
    scene: scenes.Scene | None = None
    alike: list[Post] = field(default_factory=list)
    heats: list[attention.Heat] = field(default_factory=list)
    depicted: list[Any] = field(default_factory=list)
    """Whom it shows, as `knowledge.views.depicted` finds."""


@dataclass(frozen=True)
class Support:
    """A region on which a statement rests."""

    key: str
    label: str
    weight: float


def shown_pictures(post: Post) -> list[ShownPicture]:
    """Of a post whose images have been fetched with it, the lead picture first."""
    images = list(post.images.all())
    sets = {row.sha256: row for row in RegionSet.objects.filter(sha256__in=_contents(images)).order_by("seen_at")}
    found = [ShownPicture(image, sets.get(image.sha256)) for image in images]
    for one in found:
        _fill(one)
    _add_alike(post, found)
    return found


def _contents(images: Iterable[PostImage]) -> set[str]:
    return {image.sha256 for image in images if image.sha256}


def _fill(one: ShownPicture) -> None:
    rows = one.seen.regions if one.seen and one.image.width else []
    one.regions = [_region(one.image, number, row, str(number)) for number, row in enumerate(rows)]
    if one.seen and one.regions:
        one.scene = scenes.draw(rows, one.seen.scene, [region.key for region in one.regions])


def _region(image: PostImage, number: int, row: Mapping[str, Any], name: str) -> ShownRegion:
    x, y, w, h = row["box"]
    return ShownRegion(
        f"{image.pk}-{name}",
        number + 1,
        row["class"],
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
            if other.sha256 == image.sha256 or _look_alike(other.look, image.look):
                by_image[image.pk][other.post_id] = other.post
    for one in found:
        one.alike = list(by_image[one.image.pk].values())[:MOST_ALIKE]


def _look_alike(one: str, other: str) -> bool:
    return bool(one and other) and (int(one, 16) ^ int(other, 16)).bit_count() <= ALIKE


def join(quintuples: Iterable[Quintuple], pictures: Sequence[ShownPicture]) -> None:
    """Gives each statement the regions that it rests on. A region that is in no list any more is drawn all the same."""
    chosen = list(quintuples)
    places = [place for quintuple in chosen for place in quintuple.places]
    rows: dict[int, list[Evidence]] = defaultdict(list)
    kind = Evidence.Kind.REGION
    for row in Evidence.objects.filter(assertion__in=[p.assertion.pk for p in places], kind=kind).order_by("-weight"):
        rows[row.assertion_id].append(row)
    given = [one for one in pictures if one.image.sha256][: settings.PICTURES_PER_POST]
    for quintuple in chosen:
        found = [_support(row, given) for place in quintuple.places for row in rows[place.assertion.pk]]
        quintuple.regions = list({one.key: one for one in reversed(found) if one}.values())[::-1]


def _support(row: Evidence, pictures: Sequence[ShownPicture]) -> Support | None:
    reference = row.reference
    contents = [one.image.sha256 for one in pictures]
    # By content where it is known: a picture that came later may stand before the others.
    known_as = reference.get("picture", "")
    place = contents.index(known_as) if known_as in contents else reference.get("image", 0)
    if not 0 <= place < len(pictures) or "box" not in reference or not pictures[place].image.width:
        return None
    known = region_of(pictures[place], reference)
    return Support(known.key, known.label, row.weight)


def region_of(one: ShownPicture, said: Mapping[str, Any]) -> ShownRegion:
    """The region of the picture with that box; drawn anew where a later detector does not find it any more."""
    known = next((region for region in one.regions if _same(region.box, said["box"])), None)
    if known is None:
        known = _region(one.image, len(one.regions), said, f"e{len(one.regions)}")
        one.regions.append(known)
    return known


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= SAME for a, b in zip(one, other, strict=True))


def pairings(post: Post, quintuples: Sequence[Quintuple], pictures: Sequence[ShownPicture]) -> list[aligned.Pairing]:
    """Statements beside the regions that their words looked at most, where the reading kept what they looked at."""
    grids = post.current_reading.results.get("grids", []) if post.current_reading else []
    if not any(grid["kind"] == "region" for grid in grids):
        return []
    names: dict[int, tuple[str, str]] = {}
    scene: dict[tuple[int, int], str] = {}
    for one in [each for each in pictures if each.image.sha256][: settings.PICTURES_PER_POST]:
        first = len(names)
        # Only what was seen in it: regions that are drawn for a statement's sake come after, and have no number there.
        listed = one.regions[: len(one.seen.regions) if one.seen else 0]
        names |= {first + place: (r.key, f"{r.number} {r.label}") for place, r in enumerate(listed)}
        edges = one.seen.scene if one.seen else []
        for edge in sorted(edges, key=lambda said: (said["kind"] == "interaction", said["score"])):
            scene[first + edge["subject"], first + edge["object"]] = edge["predicate"]
    return aligned.pairings(quintuples, grids, names, scene)


def add_attention(
    post: Post, version: PostVersion | None, mentions: Sequence[Mention], pictures: Sequence[ShownPicture]
) -> list[attention.Matrix]:
    """The matrices of words by regions that the reading kept; the heat maps go to their pictures."""
    reading = post.current_reading
    if version is None or reading is None:
        return []
    given = [one for one in pictures if one.image.sha256][: settings.PICTURES_PER_POST]
    names = dict(enumerate((r.key, f"{r.number} {r.label}") for one in given for r in one.regions))
    matrices = []
    for grid in reading.results.get("grids", []):
        made = attention.matrix(grid, version.text, names)
        if made is not None:
            matrices.append(made)
        if grid["kind"] == "patch" and 0 <= grid["image"] < len(given):
            one = given[grid["image"]]
            wanted = [(m.start, m.end) for m in mentions]
            one.heats += attention.heats(grid, version.text, one.image.width, one.image.height, wanted)
            one.heats = one.heats[:MOST_HEATS]
    return matrices
