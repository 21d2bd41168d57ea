"""The rows of `docs/benchmarks.md`: what a checkpoint scores on the test part of each data set it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extraction.datasets import registry
from extraction.labels import ALL_FORMS, RELATIONS, inventory, native_type, to_native, unversioned
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.decoding import DecodedSentence
from extraction.schema import Example
from training.data.parse_cache import Parses
from training.data.preparation import prepare_for
from training.data.prepared import Head
from training.evaluation.metrics import F1Score, Prediction, mention_score, relation_score, relation_scores
from training.evaluation.predictions import found_by_word_pairs
from training.evaluation.quintuple_scores import Predictor, best_threshold
from training.evaluation.word_pair_grid import ScoredRelation

# Re-DocRED states a symmetric fact in both directions, MNRE once, mostly in the order of the text; we give it once.
BOTH_WAYS = frozenset({"redocred"})


@dataclass(frozen=True)
class DataSetScores:
    """Scores on one test part, in the data set's own labels.

    `asserted` is at the checkpoint's thresholds, `even` and `blind` (to direction) at the one threshold that was best
    on dev. `silent`: of the sentences without a relation, those for which nothing at all is asserted, and all.
    """

    dataset: str
    sentences: int
    mentions: F1Score
    asserted: F1Score
    even: F1Score
    blind: F1Score
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


def data_set_scores(
    checkpoint: LoadedCheckpoint, head: Head, data: Sequence[str], parser: Parses, root: Path
) -> list[DataSetScores]:
    """A row for each of these data sets that has a test part."""
    rows = [score_test_part(checkpoint, head, parser, root, name) for name in data]
    return [row for row in rows if row.sentences]


def score_test_part(
    checkpoint: LoadedCheckpoint, head: Head, parser: Parses, root: Path, name: str, split: str = "test"
) -> DataSetScores:
    """Scores on this part of `name`; a checkpoint of the mapped inventory is mapped back to the set's labels."""
    manifest = checkpoint.manifest
    training = manifest.training["config"]
    examples = registry.load(name, split, root, "native")[: training["limit"] or None]
    found = _found(checkpoint, head, examples, parser)
    asserted = _predictions(checkpoint, found, manifest.thresholds)
    even = _predictions(checkpoint, found, {"default": manifest.metrics["dev"]["best_f1_threshold"]})
    labels = inventory((name,), "native")
    silent = _silent(examples, asserted)
    if training["labels"] == "mapped":
        both = _turned_too if name in BOTH_WAYS else lambda one: one
        asserted, even = ([mapped_back(both(one), name) for one in many] for many in (asserted, even))
    return DataSetScores(
        dataset=name,
        sentences=len(examples),
        mentions=mention_score(examples, even),
        asserted=relation_score(examples, asserted, labels),
        even=relation_score(examples, even, labels),
        blind=relation_score(examples, even, labels, directed=False),
        silent=silent,
    )


def _found(
    checkpoint: LoadedCheckpoint, head: Head, examples: Sequence[Example], parser: Parses, title: bool | None = None
) -> list[DecodedSentence]:
    return found_by_word_pairs(checkpoint.network, prepare_for(checkpoint, head, examples, parser, title=title))


def _predictions(
    checkpoint: LoadedCheckpoint, found: Sequence[DecodedSentence], thresholds: dict[str, float]
) -> list[Prediction]:
    return Predictor(checkpoint.manifest.inventory, checkpoint.manifest.calibration, thresholds).predictions(found)


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


def by_relation(
    checkpoint: LoadedCheckpoint, head: Head, parser: Parses, root: Path, name: str, split: str = "test"
) -> list[str]:
    """A line for each relation that stands in this part or is asserted there, in the checkpoint's own labels."""
    manifest = checkpoint.manifest
    examples = registry.load(name, split, root, manifest.training["config"]["labels"])
    found = _found(checkpoint, head, examples, parser)
    asserted = _predictions(checkpoint, found, manifest.thresholds)
    scores = relation_scores(examples, asserted, manifest.inventory)
    ordered = sorted(scores.items(), key=lambda item: -item[1].gold)
    return [f"{name}  {key:30s} threshold {_threshold(checkpoint, key):.2f}  {score}" for key, score in ordered]


def with_and_without_titles(checkpoint: LoadedCheckpoint, head: Head, parser: Parses, root: Path) -> list[str]:
    """Dev figures of Re-DocRED, whose examples have titles, read with and without them by the same checkpoint."""
    manifest = checkpoint.manifest
    examples = registry.load("redocred", "dev", root, manifest.training["config"]["labels"])
    rows = []
    for title in (True, False):
        found = _found(checkpoint, head, examples, parser, title)
        threshold, score = best_threshold(examples, found, manifest.inventory, manifest.calibration)
        mentions = mention_score(examples, _predictions(checkpoint, found, {"default": threshold}))
        rows.append(f"titles {'shown' if title else 'hidden'}: mentions {mentions}; relations at {threshold}: {score}")
    return rows


def _threshold(checkpoint: LoadedCheckpoint, key: str) -> float:
    thresholds = checkpoint.manifest.thresholds
    return thresholds.get(key, thresholds["default"])


def mapped_back(prediction: Prediction, name: str) -> Prediction:
    """The prediction in the labels of data set `name`; what the set has no label for is left out.

    A symmetric relation is given as the set states it, and where it states it once, in the order of the text: gold that
    has it the other way round is missed when direction counts.
    """
    types = [native_type(name, mention.type) for mention in prediction.mentions]
    named = [mention.form == "name" or unversioned(name) in ALL_FORMS for mention in prediction.mentions]
    kept = [index for index, label in enumerate(types) if label and named[index]]
    places = {index: place for place, index in enumerate(kept)}
    relations = []
    for relation in _stated(prediction.relations, both_ways=name in BOTH_WAYS):
        head, tail = prediction.mentions[relation.head], prediction.mentions[relation.tail]
        found = to_native(name, relation.key, head.type, tail.type)
        if found is not None and {relation.head, relation.tail} <= places.keys():
            label, turned = found
            ends = (relation.tail, relation.head) if turned else (relation.head, relation.tail)
            relations.append(ScoredRelation(places[ends[0]], places[ends[1]], label, relation.score))
    return Prediction([replace(prediction.mentions[index], type=types[index]) for index in kept], relations)


def _stated(relations: Iterable[ScoredRelation], both_ways: bool) -> list[ScoredRelation]:
    """Directed relations as they are; symmetric ones, found either way or both, once a pair or in both directions."""
    stated: dict[tuple[int, int, str], ScoredRelation] = {}
    for relation in relations:
        head, tail, key = relation.head, relation.tail, relation.key
        directions = [(head, tail)]
        if RELATIONS[key].symmetric:
            directions = [(min(head, tail), max(head, tail))]
            if both_ways:
                directions.append(directions[0][::-1])
        for one, other in directions:
            before = stated.get((one, other, key))
            if before is None or before.score < relation.score:
                stated[one, other, key] = ScoredRelation(one, other, key, relation.score)
    return list(stated.values())
