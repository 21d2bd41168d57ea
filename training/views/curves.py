"""Curves as places in a drawing: a run's loss and scores by step, several runs over one another.

Lengths are in the drawing's own units. Lines differ in their dashes as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 12.0, 34.0
STYLES = 8  # of lines, in the style sheet
DOTS = 30  # a curve of fewer points shows them
Points = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Tick:
    """A line of the grid: where it is, and its number."""

    at: float
    label: str


@dataclass(frozen=True)
class Curve:
    """One curve: `style` is one of the style sheet's; `dots` are its points where they are few."""

    name: str
    style: int
    path: str
    dots: tuple[tuple[float, float], ...]
    last: str
    best: str


@dataclass(frozen=True)
class Chart:
    """A drawing of curves; `empty` where there is nothing to draw yet."""

    title: str
    lines: tuple[Curve, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM

    @property
    def empty(self) -> bool:
        return not self.lines

    @property
    def description(self) -> str:
        """The drawing in words."""
        return f"{self.title}: " + "; ".join(
            f"{line.name} {line.last} at last, {line.best} at best" for line in self.lines
        )


def chart(title: str, curves: Iterable[tuple[str, Points]], *, share: bool = False) -> Chart:
    """Curves of (step, value) points over one another. `share`: values are 0..1, shown in percent, high is good."""
    drawn = [(name, finite) for name, points in curves if (finite := _finite(points))]
    if not drawn:
        return Chart(title, (), (), ())
    every = [point for _, points in drawn for point in points]
    last_step = max(point[0] for point in every)
    low, high = _range([point[1] for point in every], share)
    to_x = _scale(0.0, max(last_step, 1.0), LEFT, WIDTH - RIGHT)
    to_y = _scale(low, high, HEIGHT - BOTTOM, TOP)
    lines = tuple(_line(name, index % STYLES, points, to_x, to_y, share) for index, (name, points) in enumerate(drawn))
    across = tuple(Tick(to_x(at), f"{at:,.0f}") for at in _ticks(0.0, max(last_step, 1.0), 6) if at == int(at))
    up = tuple(Tick(to_y(at), f"{100 * at:g} %" if share else f"{at:g}") for at in _ticks(low, high, 5))
    return Chart(title, lines, across, up)


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _range(values: Sequence[float], share: bool) -> tuple[float, float]:
    if share:
        return 0.0, max(0.1, math.ceil(max(values) * 10) / 10)
    ordered = sorted(values)
    # The first steps of a loss would flatten all the rest.
    high = ordered[int(len(ordered) * 0.98)] if len(ordered) > 50 else ordered[-1]
    low = min(0.0, ordered[0])
    return low, high if high > low else low + 1.0


class _Scale:
    """Maps [low, high] to [from_, to], holding what lies outside at the border."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self.low, self.span, self.first, self.length = low, high - low, first, last - first

    def __call__(self, value: float) -> float:
        return round(self.first + min(1.0, max(0.0, (value - self.low) / self.span)) * self.length, 1)


_scale = _Scale


def _line(name: str, style: int, points: list[tuple[float, float]], to_x: _Scale, to_y: _Scale, share: bool) -> Curve:
    places = [(to_x(x), to_y(y)) for x, y in points]
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in places)
    values = [y for _, y in points]
    best = max(values) if share else min(values)
    dots = tuple(places) if len(places) <= DOTS else (places[-1],)
    return Curve(name, style, path, dots, _number(values[-1], share), _number(best, share))


def _number(value: float, share: bool) -> str:
    return f"{value:.1%}".replace("%", " %") if share else f"{value:.3g}"


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` of them apart by 1, 2 or 5 times a power of ten."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= raw)
    first = math.ceil(low / step)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def smoothed(points: Points, keep: float = 0.85) -> list[tuple[float, float]]:
    """A curve's moving average, so that the course of a noisy loss can be seen."""
    found: list[tuple[float, float]] = []
    for step, value in _finite(points):
        before = found[-1][1] if found else value
        found.append((step, keep * before + (1 - keep) * value))
    return found
