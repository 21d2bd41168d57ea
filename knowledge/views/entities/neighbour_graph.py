"""The drawing of an entity's neighbours: tails of its statements on the right, heads on the left.

Every neighbour has its own row, and its box contains the relation, so that labels cannot overlap. Lengths are in the
user units of the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from extraction.labels import RELATIONS
from extraction.schema import Factuality
from knowledge.models import Entity
from knowledge.ontology import relation_names
from knowledge.record.current import Edge, Neighbour
from knowledge.views.qualifiers import qualified

ROW = 54
BOX_WIDTH, BOX_HEIGHT = 244, 44
CENTRE_WIDTH = 160
GAP = 64  # between the centre and the boxes of a side
MARGIN = 6
PADDING = 12
NAME_CHARACTER, RELATION_CHARACTER = 7.4, 6.2  # approximate width of a character at the two text sizes
MOST_LINES = 3


@dataclass(frozen=True)
class Centre:
    x: float
    y: float
    width: float
    height: float
    lines: tuple[tuple[float, str], ...]
    """The baseline and the text of each line."""

    @property
    def text_x(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Box:
    """A neighbour: its rectangle, its two lines of text, and the curve that connects it with the centre."""

    entity: Entity
    x: float
    y: float
    text_x: float
    anchor: str
    name: str
    relation: str
    path: str
    factuality: Factuality
    arrow: str
    """The end of the curve with the arrowhead: `end` at the neighbour, `start` at the centre, or empty for none."""
    full: str

    @property
    def relation_y(self) -> float:
        return self.y + 17

    @property
    def name_y(self) -> float:
        return self.y + 34


@dataclass(frozen=True)
class Drawing:
    width: float
    height: float
    box_width: int
    box_height: int
    centre: Centre
    boxes: tuple[Box, ...]


def draw(entity: Entity, neighbours: Sequence[Neighbour]) -> Drawing:
    """Place each neighbour by the direction of its best supported statement; symmetric ones balance the two sides."""
    left, right = _sides(entity, [replace(other, edges=_best_supported_first(other)) for other in neighbours])
    height = max(len(left), len(right), 2) * ROW + 2.0 * MARGIN
    centre = _centre(entity, height, x=BOX_WIDTH + GAP + 1.0 if left else 1.5)
    boxes = [
        _box(entity, other, (height - len(side) * ROW) / 2 + row * ROW, centre, outward)
        for side, outward in ((left, False), (right, True))
        for row, other in enumerate(side)
    ]
    width = centre.x + CENTRE_WIDTH + (GAP + BOX_WIDTH + 1.0 if right else 1.5)
    return Drawing(width, height, BOX_WIDTH, BOX_HEIGHT, centre, tuple(boxes))


def _sides(entity: Entity, neighbours: Sequence[Neighbour]) -> tuple[list[Neighbour], list[Neighbour]]:
    left: list[Neighbour] = []
    right: list[Neighbour] = []
    for other in neighbours:
        if _symmetric(other.edges[0]):
            (left if len(left) < len(right) else right).append(other)
        else:
            (right if other.edges[0].head.pk == entity.pk else left).append(other)
    return left, right


def _centre(entity: Entity, height: float, x: float) -> Centre:
    words = _wrapped(entity.label)
    # Tall enough that the arrows of a full side do not overlap.
    box_height = max(24.0 + 18 * len(words), min(height - 2 * MARGIN, height * 0.45))
    y = (height - box_height) / 2
    first = height / 2 - 9 * (len(words) - 1) + 5
    lines = tuple((first + 18 * i, line) for i, line in enumerate(words))
    return Centre(x, y, CENTRE_WIDTH, box_height, lines)


def _box(entity: Entity, other: Neighbour, row_top: float, centre: Centre, outward: bool) -> Box:
    x, y = (centre.x + CENTRE_WIDTH + GAP if outward else 1.0), row_top + (ROW - BOX_HEIGHT) / 2
    near = x if outward else x + BOX_WIDTH
    far = centre.x + centre.width if outward else centre.x
    middle, centre_middle = y + BOX_HEIGHT / 2, centre.y + centre.height / 2
    # The curves leave the centre in the order of the rows, so that they do not cross.
    leaves = centre_middle + (middle - centre_middle) / max(centre_middle, 1) * (centre.height / 2 - 10)
    half = (near + far) / 2
    edge = other.edges[0]
    more = f" +{len(other.edges) - 1}" if len(other.edges) > 1 else ""
    width = BOX_WIDTH - 2 * PADDING
    return Box(
        entity=other.entity,
        x=x,
        y=y,
        text_x=x + PADDING if outward else x + BOX_WIDTH - PADDING,
        anchor="start" if outward else "end",
        name=_cut(other.entity.label, width / NAME_CHARACTER),
        relation=_cut(_label(edge), width / RELATION_CHARACTER - len(more)) + more,
        path=f"M{far:.1f} {leaves:.1f} C{half:.1f} {leaves:.1f} {half:.1f} {middle:.1f} {near:.1f} {middle:.1f}",
        factuality=edge.factuality,
        arrow="" if _symmetric(edge) else "end" if edge.head.pk == entity.pk else "start",
        full="; ".join(f"{e.head.label} – {_label(e)} – {e.tail.label}" for e in other.edges),
    )


def _best_supported_first(other: Neighbour) -> tuple[Edge, ...]:
    """By support, then confidence; a statement that only a review supports has confidence 1."""
    return tuple(sorted(other.edges, key=lambda edge: (-edge.posts, -(1.0 if edge.score is None else edge.score))))


def _symmetric(edge: Edge) -> bool:
    known = RELATIONS.get(edge.relation)
    return known is not None and known.symmetric


def _label(edge: Edge) -> str:
    return qualified(relation_names.label(edge.relation), edge.factuality)


def _cut(text: str, characters: float) -> str:
    most = max(3, int(characters))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _wrapped(text: str) -> list[str]:
    most = int((CENTRE_WIDTH - 2 * PADDING) / NAME_CHARACTER)
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], " ".join(lines[MOST_LINES - 1 :])]
    return [_cut(line, most) for line in lines]
