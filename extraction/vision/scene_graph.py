"""Scene graphs: typed, directed edges with a score between the regions of a picture, by rules.

Spatial, from the boxes. For two regions a and b, at most one of these, the first that holds:

| predicate            | holds when                                                    | score                        |
|----------------------|---------------------------------------------------------------|------------------------------|
| inside / contains    | at least 0.85 of a lies in b, and a is smaller than 0.8 b     | the share of a that lies in b|
| overlapping          | the common area is at least 0.15 of the smaller box           | that share                   |
| left / right of      | the centres differ more sideways than up and down             | sideways share of the offset |
| above / below        | otherwise                                                     | vertical share of the offset |

near: apart, and the gap is at most half the mean of the two diagonals; score 1 - gap / that half. in front of / behind
(where depths are known): boxes that meet or are near, depths differ by at least 0.1; score: the difference over 0.5, at
most 1. Distances are measured in the picture's true proportions.

Interactions, from the classes, the geometry and the overlap: the table INTERACTIONS. The score is the geometric fit
(0..1) times both detections' scores. An object is held, worn or ridden by the person who fits best, by nobody else.

A learnt classifier of predicates replaces the rules through `Interactions`: any callable from regions and aspect to
edges. Networks add self-loops themselves: `edge_types` and `sparse_types` leave the diagonal 0.

Of these edges networks are given few (`sparse_types`). A relation of place holds between any two boxes, so all edges
together are the complete graph, whose nodes are all alike. Two regions are joined where no third one is closer to both
than they are to each other (the relative neighbourhood graph, Toussaint 1980): regions that interact are closest, then
those with the smallest gap between their boxes, then those with the nearest centres. It joins all regions of a picture
and has no triangle, so with three regions or more it is never complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from extraction.schema import Region, SceneEdge
from extraction.vision.boxes import Boxes, areas, as_boxes, centred, corners, intersections

INTERACTION_PREDICATES = (
    *("riding", "holding", "wearing", "carrying", "sitting on", "lying on", "using", "eating", "playing with"),
    *("standing on", "on", "in"),
)
SPATIAL_PREDICATES = (
    *("inside", "contains", "overlapping", "in front of", "behind", "left of", "right of", "above", "below", "near"),
)
PREDICATES = (*INTERACTION_PREDICATES, *SPATIAL_PREDICATES)
FIRST_TYPE = 2  # of `edge_types`: 0 is no edge, 1 a self-loop
OPPOSITE = {
    **{"inside": "contains", "contains": "inside", "overlapping": "overlapping", "near": "near"},
    **{"in front of": "behind", "behind": "in front of", "left of": "right of", "right of": "left of"},
    **{"above": "below", "below": "above"},
}

INSIDE, SMALLER, OVERLAPPING = 0.85, 0.8, 0.15
NEAR = 0.5  # of the mean diagonal
NEARER, CLEARLY_NEARER = 0.1, 0.5  # differences of depth

RULES = "rules-2"  # version of what `build` and `sparse_types` do without a learnt classifier
# Of several edges between two regions networks are given the first of these kinds: what says most comes first.
STRENGTH = {
    predicate: place
    for place, predicate in enumerate(
        (
            *INTERACTION_PREDICATES,
            *("inside", "contains", "in front of", "behind", "overlapping", "near"),
            *("left of", "right of", "above", "below"),
        )
    )
}

Interactions = Callable[[Sequence[Region], float], Iterable[SceneEdge]]


def build(
    regions: Sequence[Region],
    aspect: float = 1.0,
    depths: Sequence[float] | None = None,
    interactions: Interactions | None = None,
) -> tuple[SceneEdge, ...]:
    """The edges between the regions of one picture; `aspect` is its width divided by its height, `depths` 0 (far) to
    1 (near) for each region. `interactions`: a learnt classifier; by default the rules."""
    edges = [*(interactions or by_rules)(regions, aspect), *spatial(regions, aspect, depths)]
    return tuple(sorted(edges, key=lambda edge: (edge.subject, edge.object, PREDICATES.index(edge.predicate))))


def edge_types(
    boxes: Sequence[Sequence[float]] | Boxes, edges: Iterable[SceneEdge] | None = None, aspect: float = 1.0
) -> np.ndarray:
    """(k, k) int64: for each ordered pair the strongest kind of edge, FIRST_TYPE + its place in PREDICATES, 0 for none.

    Interactions go before spatial relations. Without `edges` the boxes' spatial relations alone: the complete graph,
    on which networks were trained before there was `sparse_types`.
    """
    regions = [Region((float(x), float(y), float(w), float(h))) for x, y, w, h in as_boxes(boxes)]
    result = np.zeros((len(regions), len(regions)), np.int64)
    for edge in spatial(regions, aspect) if edges is None else edges:
        place = FIRST_TYPE + PREDICATES.index(edge.predicate)
        present = result[edge.subject, edge.object]
        result[edge.subject, edge.object] = min(place, present) if present else place
    return result


def sparse_types(regions: Sequence[Region], edges: Iterable[SceneEdge] | None = None) -> np.ndarray:
    """(k, k) int64: as `edge_types`, of neighbouring regions alone. Without `edges` by the boxes alone.

    Regions of different pictures are never joined, nor is one whose box is empty.
    """
    known = list(spatial(regions)) if edges is None else list(edges)
    joined = neighbours(regions, [(one.subject, one.object) for one in known if one.kind == "interaction"])
    result = np.zeros(joined.shape, np.int64)
    for edge in sorted(known, key=lambda edge: STRENGTH[edge.predicate], reverse=True):
        if joined[edge.subject, edge.object]:
            result[edge.subject, edge.object] = FIRST_TYPE + PREDICATES.index(edge.predicate)
    return result


def neighbours(regions: Sequence[Region], interacting: Iterable[tuple[int, int]] = ()) -> np.ndarray:
    """(k, k) bool, symmetric: which regions are joined. `interacting`: pairs that count as closest of all."""
    count = len(regions)
    boxes = as_boxes([region.box for region in regions])
    gaps, _, offsets = _distances(boxes, 1.0)
    apart = np.ones((count, count), bool)
    for a, b in interacting:
        apart[a, b] = apart[b, a] = False
    upper = np.triu_indices(count, 1)
    away = np.linalg.norm(offsets, axis=-1)
    keys = (away[upper].round(6), gaps[upper].round(6), apart[upper])  # np.lexsort: the last key goes first
    rank = np.full((count, count), count * count)
    rank[upper] = np.argsort(np.lexsort(keys), kind="stable")
    rank = np.minimum(rank, rank.T)
    image = np.array([region.image for region in regions])
    shown = areas(boxes) > 0
    possible = (image[:, None] == image) & shown[:, None] & shown & ~np.eye(count, dtype=bool)
    rank = np.where(possible, rank, count * count)
    between = np.maximum(rank[:, None, :], rank[None, :, :]).min(axis=2, initial=count * count)
    joined: np.ndarray = possible & (rank <= between)
    return joined


def spatial(
    regions: Sequence[Region], aspect: float = 1.0, depths: Sequence[float] | None = None
) -> Iterator[SceneEdge]:
    """Both directions of each relation. An empty box has none."""
    boxes = as_boxes([region.box for region in regions])
    room = areas(boxes)
    common = intersections(boxes, boxes)
    gaps, diagonals, offsets = _distances(boxes, aspect)
    for a, b in combinations(range(len(regions)), 2):
        if not room[a] or not room[b]:
            continue
        near = gaps[a, b] / (NEAR * (diagonals[a] + diagonals[b]) / 2)
        yield from _both(a, b, *_placed(room[a], room[b], common[a, b], offsets[a, b]))
        if not common[a, b] and near <= 1:
            yield from _both(a, b, "near", 1 - near)
        if depths is not None and near <= 1 and abs(depths[a] - depths[b]) >= NEARER:
            predicate = "in front of" if depths[a] > depths[b] else "behind"
            yield from _both(a, b, predicate, abs(depths[a] - depths[b]) / CLEARLY_NEARER)


def _placed(room_a: float, room_b: float, common: float, offset: np.ndarray) -> tuple[str, float]:
    """The spatial relation of a to b, and its score; `offset` leads from a's centre to b's."""
    if common >= INSIDE * room_a and room_a < SMALLER * room_b:
        return "inside", common / room_a
    if common >= INSIDE * room_b and room_b < SMALLER * room_a:
        return "contains", common / room_b
    if common >= OVERLAPPING * min(room_a, room_b):
        return "overlapping", common / min(room_a, room_b)
    sideways, down = np.abs(offset)
    whole = sideways + down
    if not whole:
        return "overlapping", common / min(room_a, room_b)
    if sideways > down:
        return ("left of" if offset[0] > 0 else "right of"), sideways / whole
    return ("above" if offset[1] > 0 else "below"), down / whole


def _both(a: int, b: int, predicate: str, score: float) -> Iterator[SceneEdge]:
    score = min(1.0, float(score))  # rounding lets more than the whole of a very thin box lie in another
    yield SceneEdge(a, b, predicate, "spatial", score)
    yield SceneEdge(b, a, OPPOSITE[predicate], "spatial", score)


def _distances(boxes: Boxes, aspect: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(k, k) gaps between boxes, (k,) their diagonals, (k, k, 2) from centre to centre; unit: the picture's height."""
    true = boxes * [aspect, 1.0, aspect, 1.0]
    ends = corners(true)
    apart = np.maximum(ends[:, None, :2] - ends[None, :, 2:], ends[None, :, :2] - ends[:, None, 2:])
    centres = centred(true)[:, :2]
    gaps = np.linalg.norm(np.maximum(apart, 0.0), axis=-1)
    return gaps, np.linalg.norm(true[:, 2:], axis=-1), centres[None, :] - centres[:, None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Measures of a possible interaction's subject and object, in which the rules are written.

    x, y: the object's centre within the subject's box, 0 its left and upper edge, 1 its right and lower one. size: the
    object's area over the subject's. common: the share of the smaller box that both have in common. foot: where the
    subject's lower edge stands in the object's height, 0 its upper edge.
    """

    x: float
    y: float
    size: float
    common: float
    share_inside: float  # of the subject in the object
    foot: float


@dataclass(frozen=True, slots=True)
class Rule:
    """`subjects` do `predicate` to `objects` with a confidence of `fit`, 0 to 1."""

    predicate: str
    subjects: frozenset[str]
    objects: frozenset[str]
    fit: Callable[[Pair], float]
    exclusive: bool = True  # an object has at most one such subject


def by_rules(regions: Sequence[Region], aspect: float = 1.0) -> Iterator[SceneEdge]:
    """Interactions by the table INTERACTIONS; of several that hold for a pair the first."""
    best: dict[tuple[str, int], SceneEdge] = {}
    for a, subject in enumerate(regions):
        for b, thing in enumerate(regions):
            result = None if a == b else _interaction(subject, thing)
            if result is None:
                continue
            rule, fit = result
            edge = SceneEdge(a, b, rule.predicate, "interaction", fit * subject.score * thing.score)
            key = ("", b) if rule.exclusive else (rule.predicate, a * len(regions) + b)
            if key not in best or best[key].score < edge.score:
                best[key] = edge
    yield from best.values()


def _interaction(subject: Region, thing: Region) -> tuple[Rule, float] | None:
    rules = [r for r in INTERACTIONS if subject.label in r.subjects and thing.label in r.objects]
    if not rules or not (min(subject.box[2:]) > 0 and min(thing.box[2:]) > 0):
        return None
    pair = _pair(subject.box, thing.box)
    return next(((rule, fit) for rule in rules if (fit := rule.fit(pair)) >= MIN_FIT), None)


def _pair(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> Pair:
    common = float(intersections([a], [b])[0, 0])
    room, thing = a[2] * a[3], b[2] * b[3]
    return Pair(
        x=(b[0] + b[2] / 2 - a[0]) / a[2],
        y=(b[1] + b[3] / 2 - a[1]) / a[3],
        size=thing / room,
        common=common / min(room, thing),
        share_inside=common / room,
        foot=(a[1] + a[3] - b[1]) / b[3],
    )


MIN_FIT = 0.25


def _around(value: float, low: float, high: float, soft: float) -> float:
    """1 between low and high, falling to 0 over `soft` on either side."""
    return float(max(0.0, 1.0 - max(low - value, value - high, 0.0) / soft))


def _rides(pair: Pair) -> float:
    """The rider's centre lies over the vehicle, the feet within its height, the boxes meet."""
    seated = _around(pair.y, 0.55, 1.2, 0.25) * _around(pair.x, 0.1, 0.9, 0.4) * _around(pair.foot, 0.3, 1.1, 0.3)
    return seated * min(1.0, pair.common / 0.25)


def _stands_on(pair: Pair) -> float:
    """A board under the feet: its centre at the lower edge of the person."""
    return _around(pair.y, 0.8, 1.1, 0.2) * _around(pair.x, 0.0, 1.0, 0.5) * min(1.0, pair.common / 0.1)


def _holds(pair: Pair) -> float:
    """A small thing within reach: beside or on the person, between shoulders and knees."""
    reach = _around(pair.x, -0.1, 1.1, 0.15) * _around(pair.y, 0.12, 0.8, 0.12)
    return reach * _around(pair.size, 0.0, 0.3, 0.3) * min(1.0, pair.common / 0.4)


def _wears(pair: Pair) -> float:
    """On the person, in the middle between the edges, small against the person."""
    return _around(pair.x, 0.2, 0.8, 0.2) * _around(pair.y, 0.15, 0.8, 0.15) * min(1.0, pair.common / 0.8)


def _carries(pair: Pair) -> float:
    """A bag that lies mostly within the person's box."""
    return _around(pair.x, -0.05, 1.05, 0.2) * _around(pair.size, 0.0, 0.5, 0.3) * min(1.0, pair.common / 0.5)


def _sits_on(pair: Pair) -> float:
    """A seat under the person's lower half, the lower edge of the person within its height."""
    seat = _around(pair.y, 0.5, 0.95, 0.2) * _around(pair.foot, 0.35, 1.3, 0.3)
    return seat * _around(pair.x, 0.15, 0.85, 0.4) * min(1.0, pair.common / 0.4)


def _lies_on(pair: Pair) -> float:
    return min(1.0, pair.share_inside / 0.8) * _around(pair.size, 1.3, 99.0, 0.5)


def _uses(pair: Pair) -> float:
    """A device in front of the person's lower half, boxes that meet."""
    return _around(pair.y, 0.35, 1.05, 0.2) * _around(pair.x, -0.1, 1.1, 0.3) * min(1.0, pair.common / 0.2)


def _eats(pair: Pair) -> float:
    """Food at the face: the upper quarter of the person."""
    return _around(pair.y, 0.05, 0.3, 0.08) * _around(pair.x, 0.1, 0.9, 0.2) * min(1.0, pair.common / 0.6)


def _plays(pair: Pair) -> float:
    """A ball within about a person's width or half a height of the person, too far to be held."""
    return _around(pair.x, -0.8, 1.8, 0.7) * _around(pair.y, -0.3, 1.1, 0.3) * _around(pair.size, 0.0, 0.3, 0.3)


def _is_on(pair: Pair) -> float:
    """Its lower edge within the table's upper part, and it meets the table."""
    return _around(pair.foot, 0.02, 0.75, 0.15) * min(1.0, pair.common / 0.2)


def _is_in(pair: Pair) -> float:
    """Nearly whole within the larger vehicle, and not riding on top of it."""
    return (1.0 if pair.share_inside >= 0.75 else 0.0) * _around(pair.size, 1.5, 999.0, 0.5)


def _set(*names: str) -> frozenset[str]:
    return frozenset(names)


PERSON = _set("person")
FOOD = _set("banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake")
HANDHELD = _set(
    *("cell phone", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "book", "umbrella", "remote", "scissors"),
    *("teddy bear", "toothbrush", "hair drier", "baseball bat", "baseball glove", "tennis racket", "frisbee", "kite"),
    *("sports ball", "handbag", "bowl", "vase", "suitcase"),
)
INTERACTIONS: tuple[Rule, ...] = (
    Rule("riding", PERSON, _set("bicycle", "motorcycle", "horse", "elephant"), _rides, exclusive=False),
    Rule("standing on", PERSON, _set("skateboard", "surfboard", "snowboard", "skis"), _stands_on),
    Rule("eating", PERSON, FOOD, _eats),
    Rule("holding", PERSON, HANDHELD | FOOD, _holds),
    Rule("wearing", PERSON, _set("tie", "backpack"), _wears),
    Rule("carrying", PERSON, _set("backpack", "handbag", "suitcase", "surfboard", "skateboard"), _carries),
    Rule("sitting on", PERSON, _set("chair", "couch", "bench", "toilet"), _sits_on, exclusive=False),
    Rule("lying on", PERSON | _set("cat", "dog"), _set("bed", "couch"), _lies_on, exclusive=False),
    Rule("using", PERSON, _set("laptop", "keyboard", "mouse"), _uses),
    Rule("playing with", PERSON, _set("sports ball", "frisbee", "kite"), _plays),
    Rule("on", HANDHELD | FOOD | _set("laptop", "keyboard", "mouse"), _set("dining table"), _is_on, exclusive=False),
    Rule("in", PERSON | _set("dog"), _set("car", "bus", "truck", "train", "boat", "airplane"), _is_in, exclusive=False),
)
