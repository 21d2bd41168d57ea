"""The results of evaluating a network: how its outputs become answers, its scores, its errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.reader.calibration import Calibration
from extraction.reader.checkpoint import Manifest
from extraction.schema import Example

Counts = NDArray[np.int64]
NONE = "(none)"
RIGHT, MISSED, INVENTED, CONFUSED, TYPE, MENTION = "right", "missed", "invented", "confused", "type", "mention"
Compared = dict[str, Any]


@dataclass(frozen=True)
class Calibrated:
    """Platt scaling, the thresholds of production by relation, and the one threshold that was `best` on dev.

    `best` decides what evaluations count; None where nothing was chosen: then pairs have their most probable label, and
    mentions and relations the thresholds of production. `dev`: what was measured in fitting.
    """

    calibration: Calibration = field(default_factory=Calibration)
    thresholds: dict[str, float] = field(default_factory=lambda: {"default": 0.5})
    best: float | None = None
    dev: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> Calibrated:
        """As a checkpoint keeps it."""
        dev = manifest.metrics.get("dev", {})
        best = dev.get("best_f1_threshold")
        return cls(manifest.calibration, manifest.thresholds, None if best is None else float(best), dev)

    @property
    def evaluated(self) -> dict[str, float]:
        """The thresholds from which relations count in an evaluation."""
        return self.thresholds if self.best is None else {"default": self.best}


@dataclass(frozen=True)
class Scores:
    """`figures`: named shares 0..1, "f1" the one that counts. `counts` (items, 3): right, found and gold of each item.

    `by_relation`: precision, recall, F1 and gold of each label. `confusion`: gold label -> found label -> how often.
    `items`: what is known of each item, for the analysis of errors.
    """

    figures: dict[str, float]
    counts: Counts
    by_relation: dict[str, dict[str, float]] = field(default_factory=dict)
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All but the items, as plain JSON."""
        return {"figures": self.figures, "by_relation": self.by_relation, "confusion": self.confusion}


@dataclass
class ExampleErrors:
    """An example with its counts, its errors, and everything that a page shows of it."""

    example: Example
    found: Sequence[tuple[int, int, str, float]] = ()
    judged: list[Compared] = field(default_factory=list)
    right: int = 0
    wrong: int = 0
    gold: int = 0
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def faults(self) -> list[str]:
        return sorted({one["kind"] for one in self.judged} - {RIGHT})

    @property
    def labels(self) -> list[str]:
        return sorted({one[side] for one in self.judged for side in ("gold", "found") if one[side]})

    def content(self) -> dict[str, Any]:
        """Plain JSON for the page."""
        example = self.example
        return {
            "id": example.id,
            "words": list(example.words),
            "before": list(example.before),
            "gold": {"mentions": [[m.start, m.end, m.type] for m in example.mentions]},
            "found": {"mentions": [list(one) for one in self.found]},
            "judged": self.judged,
            "image": example.image,
            "regions": [[round(float(value), 4) for value in region.box] for region in example.regions],
            "facts": [f"{fact.subject} – {fact.property} – {fact.object}" for fact in example.facts],
        }


def by_label(errors: Iterable[ExampleErrors]) -> list[tuple[str, int, int, int]]:
    """(label, right, found, gold), the most annotated first."""
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for one in errors:
        for (annotated, read), times in one.confusion.items():
            gold[annotated] += times
            found[read] += times
            right[annotated] += times * (annotated == read)
        for judged in one.judged:
            right[judged["gold"]] -= judged["kind"] == TYPE
    labels = {*gold, *found} - {NONE}
    return [(key, right[key], found[key], gold[key]) for key in sorted(labels, key=lambda key: (-gold[key], key))]


@dataclass(frozen=True)
class Examined:
    """`figures`: named precision, recall and F1, what counts first; `examples`: the errors of each."""

    figures: list[dict[str, Any]]
    examples: list[ExampleErrors]
    accuracy: float | None
    note: str = ""
    inputs: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All but the examples, as plain JSON."""
        confusion: Counter[tuple[str, str]] = sum((one.confusion for one in self.examples), Counter())
        return {
            "figures": self.figures,
            "accuracy": self.accuracy,
            "by_label": by_label(self.examples),
            "confusion": [[gold, found, times] for (gold, found), times in sorted(confusion.items())],
            "examples": len(self.examples),
            "note": self.note,
        }
