"""The rows of `docs/benchmarks.md`: what a checkpoint scores on the test part of each data set it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extraction.datasets import registry
from extraction.labels import RELATIONS, inventory
from extraction.reader.checkpoint import Checkpoint
from extraction.reader.decoding import Found
from extraction.schema import Example
from training.config import TrainConfig
from training.data.parse_cache import Parses
from training.evaluation.mapped_back import mapped_back
from training.evaluation.metrics import Prediction, Score, mention_score, relation_score, relation_scores
from training.evaluation.word_pair_grid import ScoredRelation
from training.evaluation.word_pair_predictions import Reader, best_threshold, find_in

BOTH_WAYS = {"redocred"}  # sets that annotate a symmetric relation in both directions; we give it once


@dataclass(frozen=True)
class Figures:
    """Scores on one test part, in the data set's own labels.

    `asserted` is at the checkpoint's thresholds, `even` and `blind` (to direction) at the one threshold that was best
    on dev. `silent`: of the sentences without a relation, those for which nothing at all is asserted, and all.
    """

    dataset: str
    sentences: int
    mentions: Score
    asserted: Score
    even: Score
    blind: Score
    silent: tuple[int, int]

    def row(self) -> list[str]:
        """Cells as in HEADING."""
        related = self.even.gold > 0
        return [
            self.dataset,
            str(self.sentences),
            f"{self.mentions.f1:.1%}" if self.mentions.gold else "",
            f"{self.even.f1:.1%}" if related else "",
            f"{self.blind.f1:.1%}" if related else "",
            f"{self.asserted.precision:.1%} / {self.asserted.recall:.1%}" if related else "",
            f"{self.silent[0]} of {self.silent[1]} ({self.silent[0] / self.silent[1]:.1%})" if self.silent[1] else "",
        ]


HEADING = [
    "test part",
    "sentences",
    "mentions F1",
    "relations F1",
    "direction-blind F1",
    "P / R at the shipped thresholds",
    "left empty, of those without a relation",
]


def figures(checkpoint: Checkpoint, parser: Parses, root: Path) -> list[Figures]:
    """A row for each data set of the checkpoint's training that has a test part."""
    config = TrainConfig.from_dict(checkpoint.manifest.training["config"])
    rows = [measure(checkpoint, parser, root, name, config.labels) for name in config.data]
    return [row for row in rows if row.sentences]


def measure(
    checkpoint: Checkpoint, parser: Parses, root: Path, name: str, trained_on: str, split: str = "test"
) -> Figures:
    """Scores on this part of `name`; a checkpoint of the mapped inventory is mapped back to the set's labels."""
    manifest = checkpoint.manifest
    limit = TrainConfig.from_dict(manifest.training["config"]).limit if "config" in manifest.training else 0
    examples = registry.load(name, split, root, "native")[: limit or None]
    found = find_in(checkpoint, examples, parser, manifest.title)
    asserted = _predictions(checkpoint, found, manifest.thresholds)
    even = _predictions(checkpoint, found, {"default": manifest.metrics["dev"]["best_f1_threshold"]})
    labels = inventory((name,), "native")
    silent = _silent(examples, asserted)
    if trained_on == "mapped":
        both = _turned_too if name in BOTH_WAYS else lambda one: one
        asserted, even = ([mapped_back(both(one), name) for one in many] for many in (asserted, even))
    return Figures(
        dataset=name,
        sentences=len(examples),
        mentions=mention_score(examples, even),
        asserted=relation_score(examples, asserted, labels),
        even=relation_score(examples, even, labels),
        blind=relation_score(examples, even, labels, directed=False),
        silent=silent,
    )


def _predictions(checkpoint: Checkpoint, found: Sequence[Found], thresholds: dict[str, float]) -> list[Prediction]:
    return Reader(checkpoint.manifest.inventory, checkpoint.manifest.calibration, thresholds).predictions(found)


def _silent(examples: Sequence[Example], predictions: Sequence[Prediction]) -> tuple[int, int]:
    """(left empty, all) of the sentences without a relation; any asserted relation counts, settled or not."""
    empty = [
        not prediction.relations
        for example, prediction in zip(examples, predictions, strict=True)
        if not example.relations
    ]
    return sum(empty), len(empty)


def _turned_too(prediction: Prediction) -> Prediction:
    """The prediction with its symmetric relations, which a reader gives once, in both directions."""
    turned = [
        ScoredRelation(one.tail, one.head, one.key, one.score)
        for one in prediction.relations
        if RELATIONS[one.key].symmetric
    ]
    return Prediction(prediction.mentions, [*prediction.relations, *turned])


def by_relation(checkpoint: Checkpoint, parser: Parses, root: Path, name: str, split: str = "test") -> list[str]:
    """A line for each relation that stands in this part or is asserted there, in the checkpoint's own labels."""
    manifest = checkpoint.manifest
    labels = TrainConfig.from_dict(manifest.training["config"]).labels
    examples = registry.load(name, split, root, labels)
    found = find_in(checkpoint, examples, parser, manifest.title)
    asserted = _predictions(checkpoint, found, manifest.thresholds)
    scores = relation_scores(examples, asserted, manifest.inventory)
    ordered = sorted(scores.items(), key=lambda item: -item[1].gold)
    return [f"{name}  {key:30s} threshold {_threshold(checkpoint, key):.2f}  {score}" for key, score in ordered]


def with_and_without_titles(checkpoint: Checkpoint, parser: Parses, root: Path) -> list[str]:
    """Dev figures of Re-DocRED, whose examples have titles, read with and without them by the same checkpoint."""
    manifest = checkpoint.manifest
    examples = registry.load("redocred", "dev", root, TrainConfig.from_dict(manifest.training["config"]).labels)
    rows = []
    for title in (True, False):
        found = find_in(checkpoint, examples, parser, title)
        threshold, score = best_threshold(examples, found, manifest.inventory, manifest.calibration)
        mentions = mention_score(examples, _predictions(checkpoint, found, {"default": threshold}))
        rows.append(f"titles {'shown' if title else 'hidden'}: mentions {mentions}; relations at {threshold}: {score}")
    return rows


def _threshold(checkpoint: Checkpoint, key: str) -> float:
    thresholds = checkpoint.manifest.thresholds
    return thresholds.get(key, thresholds["default"])
