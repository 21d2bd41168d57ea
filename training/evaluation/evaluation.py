"""Any checkpoint on any data set: its figures, and what it says of every example. Runs in a process of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.datasets import registry
from extraction.features.entity_markers import add_markers
from extraction.features.model_inputs import pixels_in
from extraction.labels import LabelMode
from extraction.reader.checkpoint import Checkpoint
from extraction.schema import Candidate, Example
from training.config import TrainConfig
from training.data.images import CANVAS, folders_named, inputs, missing, pictures_for
from training.data.parse_cache import Parses
from training.data.preparation import Prepared, items_of, with_titles
from training.evaluation.bootstrap import interval
from training.evaluation.decision_threshold import decided, least_of, probabilities
from training.evaluation.error_analysis import Looked, by_label, look_at_pairs, look_at_reading
from training.evaluation.metrics import Score, mention_score, relation_score
from training.evaluation.predictions import pair_logits, read, tagged
from training.evaluation.word_pair_predictions import Reader

Say = Callable[[str], object]


class CannotEvaluate(Exception):
    """A checkpoint cannot be measured on a data set; the message says why."""


@dataclass(frozen=True)
class Measured:
    """`figures`: named precision, recall and F1, what counts first; `looked`: every example."""

    figures: list[dict[str, Any]]
    looked: list[Looked]
    accuracy: float | None
    note: str = ""
    inputs: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All but the examples, as plain JSON."""
        confusion: Counter[tuple[str, str]] = sum((one.confusion for one in self.looked), Counter())
        return {
            "figures": self.figures,
            "accuracy": self.accuracy,
            "by_label": by_label(self.looked),
            "confusion": [[gold, found, times] for (gold, found), times in sorted(confusion.items())],
            "examples": len(self.looked),
            "note": self.note,
        }


def measure(checkpoint: Checkpoint, format: str, split: str, root: Path, parser: Parses, say: Say) -> Measured:
    """With the data set's own pictures, if the checkpoint was trained with any. Raises CannotEvaluate, DatasetError."""
    labels, training = _labels(checkpoint, format)
    say(f"reading {format} {split}")
    examples = [one for one in registry.load(format, split, root, labels) if one.words]
    _check(checkpoint, format, examples)
    say(f"parsing {len(examples)} examples")
    images = pictures_for(training, root, format)
    prepared = prepared_for(checkpoint, examples, parser, images)
    if not prepared.items:
        raise CannotEvaluate(f"{format} {split} has nothing that {checkpoint.manifest.system} can be asked about.")
    say(f"asking about {len(prepared.items)} of them")
    if prepared.head in ("pair", "region_pair"):
        found = _pairs(checkpoint, prepared)
    else:
        found = _readings(checkpoint, prepared, any(example.relations for example in examples))
    notes = [found.note, _pictures_said(checkpoint, examples, training.images, images)]
    return replace(found, inputs=inputs(checkpoint, bool(images)), note=" ".join(note for note in notes if note))


def _pictures_said(checkpoint: Checkpoint, examples: Sequence[Example], trained: str, images: str) -> str:
    """What is to be said of pictures that the checkpoint was trained with and is not shown here."""
    if not trained or not checkpoint.network.needs.pictures:
        return ""
    if not images:
        return f"It was trained with pictures, and none were found with this data set; {CANVAS}."
    return missing(examples, images)


def _labels(checkpoint: Checkpoint, format: str) -> tuple[LabelMode, TrainConfig]:
    training = TrainConfig.from_dict(checkpoint.manifest.training["config"])
    if training.labels == "native" and format not in training.data:
        raise CannotEvaluate(
            f"{checkpoint.manifest.name} knows the labels of {', '.join(training.data)} alone, and {format} has "
            "others. Train one in this product's labels to measure it on several data sets."
        )
    return training.labels, training


def _check(checkpoint: Checkpoint, format: str, examples: Sequence[Example]) -> None:
    """A pair system must know every label that it is asked for."""
    known = set(checkpoint.manifest.inventory.relation_keys)
    unknown = {one.key for example in examples for one in example.candidates if one.key} - known
    if unknown and checkpoint.manifest.head in ("pair", "region_pair"):
        few = ", ".join(sorted(unknown)[:5])
        raise CannotEvaluate(f"{format} has {len(unknown)} relations that the checkpoint does not know: {few}.")


def prepared_for(checkpoint: Checkpoint, examples: Sequence[Example], parser: Parses, images: str = "") -> Prepared:
    """The examples in the checkpoint's vocabularies, as its network is shown them in use. Raises DatasetError."""
    manifest, featurizer = checkpoint.manifest, checkpoint.featurizer
    pairs = manifest.head in ("pair", "region_pair")
    parsed = parser.parse_words([example.words for example in examples])
    plain = featurizer.make(parsed)
    titled = with_titles(featurizer, examples, parsed, plain, own=False) if manifest.title else plain
    held = list(examples)
    return Prepared(
        manifest.inventory,
        featurizer,
        held,
        plain,
        titled,
        [],
        manifest.head,
        items_of(held, manifest.head),
        add_markers(featurizer.tokenizer) if pairs else (),
        manifest.classes,
        pixels_in(folders_named(images)),
    )


def _pairs(checkpoint: Checkpoint, prepared: Prepared) -> Measured:
    logits = pair_logits(checkpoint.network, prepared)
    least = least_of(checkpoint.manifest)
    looked = _looked_at(prepared, logits, least)
    figures, note = [_counted("relations", looked)], ""
    if least is not None:
        note = f"A pair counts as related from a probability of {least:g}, which was best on dev."
        likeliest = _looked_at(prepared, logits, None)
        figures.append(
            {**_counted("relations, most probable label", likeliest), "accuracy": _accuracy(prepared, likeliest)}
        )
    return Measured(figures, looked, _accuracy(prepared, looked), note)


def _looked_at(prepared: Prepared, logits: NDArray[np.float32], least: float | None) -> list[Looked]:
    """Every example with what is said of its pairs where one counts as related from the probability `least`."""
    labels = decided(logits, least)
    sure = probabilities(logits)[np.arange(len(labels)), labels]
    names = ("", *prepared.inventory.relation_keys)
    answers: dict[int, list[tuple[Candidate, str, float]]] = {}
    for item, label, score in zip(prepared.items, labels.tolist(), sure.tolist(), strict=True):
        assert item.candidate is not None
        answers.setdefault(item.example, []).append((item.candidate, names[label], score))
    return [look_at_pairs(prepared.examples[place], said) for place, said in sorted(answers.items())]


def _accuracy(prepared: Prepared, looked: Sequence[Looked]) -> float:
    same = sum(times for one in looked for (gold, found), times in one.confusion.items() if gold == found)
    return same / len(prepared.items)


def _readings(checkpoint: Checkpoint, prepared: Prepared, related: bool) -> Measured:
    manifest, network = checkpoint.manifest, checkpoint.network
    found = tagged(network, prepared) if prepared.head == "tags" else read(network, prepared)
    even = least_of(manifest)
    thresholds = manifest.thresholds if even is None else {"default": even}
    predictions = Reader(manifest.inventory, manifest.calibration, thresholds).predictions(found)
    looked = [
        look_at_reading(example, one, manifest.inventory, related)
        for example, one in zip(prepared.examples, predictions, strict=True)
    ]
    figures = [_counted("relations" if related else "mentions", looked)]
    note = ""
    if related:
        blind = relation_score(prepared.examples, predictions, manifest.inventory, directed=False)
        used = Reader(manifest.inventory, manifest.calibration, manifest.thresholds).predictions(found)
        figures += [
            _figure("mentions", mention_score(prepared.examples, predictions)),
            _figure("relations, blind to direction", blind),
            _figure("relations as asserted in use", relation_score(prepared.examples, used, manifest.inventory)),
        ]
        if even is not None:
            note = f"Relations count from a probability of {even:g}, which was best on dev; in use each has its own."
    return Measured(figures, looked, None, note)


def _counted(name: str, looked: Sequence[Looked]) -> dict[str, Any]:
    """The figure that counts, with its interval over resampled examples."""
    score = sum((Score(one.right, one.right + one.wrong, one.gold) for one in looked), Score())
    counts = np.array([(one.right, one.right + one.wrong, one.gold) for one in looked], np.int64)
    sure = interval(counts, draws=1000)
    return {**_figure(name, score), "interval": [sure.low, sure.high]}


def _figure(name: str, score: Score) -> dict[str, Any]:
    counts = {"right": score.right, "found": score.predicted, "gold": score.gold}
    return {"name": name, "precision": score.precision, "recall": score.recall, "f1": score.f1, **counts}
