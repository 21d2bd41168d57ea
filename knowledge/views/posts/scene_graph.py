"""The scene graph of a picture as a drawing: each region a node on a ring, each relation a labelled line.

Nodes are placed on an ellipse in the order of their angles around the middle of the picture, so that a region on the
left of the picture is on the left of the drawing and no two names overlap. Every relation is also listed as text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 640, 400
NODE_WIDTH, NODE_HEIGHT = 116, 30
SHORT = 160
MOST_NODES = 12
MOST_EDGES = 12
# The most informative relations come first; directions can be seen in the picture itself.
ORDER = ("inside", "in front of", "overlapping", "near", "left of", "above")


@dataclass(frozen=True)
class Node:
    key: str
    label: str
    x: float
    y: float

    @property
    def left(self) -> float:
        return round(self.x - NODE_WIDTH / 2, 1)

    @property
    def top(self) -> float:
        return round(self.y - NODE_HEIGHT / 2, 1)


@dataclass(frozen=True)
class RelationLine:
    """A line from subject to object, between the nodes' borders, with its label at (x, y).

    `sentence`: the whole relation as text.
    """

    path: str
    x: float
    y: float
    label: str
    kind: str
    sentence: str


@dataclass(frozen=True)
class Scene:
    nodes: tuple[Node, ...]
    lines: tuple[RelationLine, ...]
    sentences: tuple[str, ...]
    width: int = WIDTH
    height: int = HEIGHT
    node_width: int = NODE_WIDTH
    node_height: int = NODE_HEIGHT


def draw(regions: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Scene | None:
    """The drawing, or None where there is no relation to draw. `keys`: each region's key on the page."""
    names = [f"{place + 1} {region['class']}" for place, region in enumerate(regions)]
    chosen = [
        edge for edge in _most_informative(edges) if max(edge["subject"], edge["object"]) < min(len(names), MOST_NODES)
    ]
    chosen = chosen[:MOST_EDGES]
    shown = sorted({end for edge in chosen for end in (edge["subject"], edge["object"])})
    if not shown:
        return None
    nodes = _ring([(place, regions[place]["box"]) for place in shown], names, keys)
    lines = [_line(edge, nodes, names) for edge in chosen]
    return Scene(tuple(nodes.values()), tuple(lines), tuple(line.sentence for line in lines))


def _most_informative(edges: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Interactions, then the most informative spatial relation of each other pair, in one direction."""
    interactions = sorted((edge for edge in edges if edge["kind"] == "interaction"), key=lambda edge: -edge["score"])
    interacting = {frozenset((edge["subject"], edge["object"])) for edge in interactions}
    best: dict[frozenset[int], Mapping[str, Any]] = {}
    for edge in edges:
        pair = frozenset((edge["subject"], edge["object"]))
        if edge["kind"] != "spatial" or edge["predicate"] not in ORDER or pair in interacting:
            continue
        if pair not in best or _rank(edge) < _rank(best[pair]):
            best[pair] = edge
    return [*interactions, *sorted(best.values(), key=_rank)]


def _rank(edge: Mapping[str, Any]) -> tuple[int, float]:
    return ORDER.index(edge["predicate"]), -edge["score"]


def _ring(places: Sequence[tuple[int, Sequence[float]]], names: Sequence[str], keys: Sequence[str]) -> dict[int, Node]:
    centres = {place: (x + w / 2, y + h / 2) for place, (x, y, w, h) in places}
    middle = [sum(axis) / len(centres) for axis in zip(*centres.values(), strict=True)]
    order = sorted(centres, key=lambda place: math.atan2(centres[place][1] - middle[1], centres[place][0] - middle[0]))
    first = math.atan2(*(centres[order[0]][axis] - middle[axis] for axis in (1, 0))) if len(order) > 1 else -math.pi / 2
    radius = ((WIDTH - NODE_WIDTH) / 2 - 4, (HEIGHT - NODE_HEIGHT) / 2 - 4)
    nodes = {}
    for step, place in enumerate(order):
        angle = first + 2 * math.pi * step / len(order)
        x, y = WIDTH / 2 + radius[0] * math.cos(angle), HEIGHT / 2 + radius[1] * math.sin(angle)
        nodes[place] = Node(keys[place], names[place], round(x, 1), round(y, 1))
    return nodes


def _line(edge: Mapping[str, Any], nodes: Mapping[int, Node], names: Sequence[str]) -> RelationLine:
    a, b = nodes[edge["subject"]], nodes[edge["object"]]
    (x1, y1), (x2, y2) = _border(a, b), _border(b, a)
    # On long lines nearer to the subject: where many lines cross in the middle, the labels do not overlap.
    share = 0.38 if math.hypot(x2 - x1, y2 - y1) > SHORT else 0.5
    x, y = x1 + share * (x2 - x1), y1 + share * (y2 - y1)
    sentence = f"{names[edge['subject']]} — {edge['predicate']} → {names[edge['object']]} ({100 * edge['score']:.0f} %)"
    return RelationLine(
        f"M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}", round(x, 1), round(y, 1), edge["predicate"], edge["kind"], sentence
    )


def _border(inner: Node, outer: Node) -> tuple[float, float]:
    """The point where the line from the middle of `inner` to that of `outer` leaves the node."""
    dx, dy = outer.x - inner.x, outer.y - inner.y
    scale = min(
        (NODE_WIDTH / 2 + 3) / abs(dx) if dx else math.inf, (NODE_HEIGHT / 2 + 3) / abs(dy) if dy else math.inf, 1.0
    )
    return inner.x + dx * scale, inner.y + dy * scale
