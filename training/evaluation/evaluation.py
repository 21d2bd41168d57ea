"""Evaluates any checkpoint on any data set: its metrics, and its answer for every example. Runs in its own process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from extraction.datasets import registry
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.schema import Example
from training.config import TrainConfig
from training.data.images import ABSENT, inputs, missing, pictures_for, with_prepared
from training.data.parse_cache import Parses
from training.data.preparation import prepare_for
from training.data.prepared import Head
from training.scores import Calibrated, Examined

Say = Callable[[str], object]


class CannotEvaluate(Exception):
    """A checkpoint cannot be evaluated on a data set; the message gives the reason."""


def evaluate_on(
    checkpoint: LoadedCheckpoint, head: Head, format: str, split: str, root: Path, parser: Parses, say: Say
) -> Examined:
    """With the data set's own pictures, if the checkpoint was trained with any. Raises CannotEvaluate, DatasetError."""
    training = _trained(checkpoint, format)
    say(f"reading {format} {split}")
    examples = [one for one in registry.load(format, split, root, training.labels) if one.words]
    examples = with_prepared(examples, training.prepared, root)
    if head.pairs:
        _check(checkpoint, format, examples)
    say(f"parsing {len(examples)} examples")
    images = pictures_for(training.images, training.data, root, format)
    prepared = prepare_for(checkpoint, head, examples, parser, images)
    if not prepared.items:
        raise CannotEvaluate(f"{format} {split} has nothing that {checkpoint.manifest.system} can be asked about.")
    say(f"asking about {len(prepared.items)} of them")
    examined = head.examine(prepared, head.predict(checkpoint.network, prepared), Calibrated.of(checkpoint.manifest))
    notes = [examined.note, _pictures_missing(checkpoint, examples, training.images, images)]
    given = [one for one in inputs(checkpoint) if images or one != "pictures"]
    return replace(examined, inputs=given, note=" ".join(note for note in notes if note))


def _pictures_missing(checkpoint: LoadedCheckpoint, examples: Sequence[Example], trained: str, images: str) -> str:
    """A sentence about pictures that the checkpoint was trained with and is not given here; "" if there are none."""
    if not trained or not checkpoint.network.needs.pictures:
        return ""
    if not images:
        return f"It was trained with pictures, and none were found with this data set; {ABSENT}."
    return missing(examples, images)


def _trained(checkpoint: LoadedCheckpoint, format: str) -> TrainConfig:
    """Its training config. Raises CannotEvaluate where the checkpoint does not know the data set's labels."""
    training = TrainConfig.from_dict(checkpoint.manifest.training["config"])
    if training.labels == "native" and format not in training.data:
        raise CannotEvaluate(
            f"{checkpoint.manifest.name} knows the labels of {', '.join(training.data)} alone, and {format} has "
            "others. Train one in this product's labels to measure it on several data sets."
        )
    return training


def _check(checkpoint: LoadedCheckpoint, format: str, examples: Sequence[Example]) -> None:
    """Raises CannotEvaluate where a pair system does not know a label of the data set."""
    known = set(checkpoint.manifest.inventory.relation_keys)
    unknown = {one.key for example in examples for one in example.candidates if one.key} - known
    if unknown:
        few = ", ".join(sorted(unknown)[:5])
        raise CannotEvaluate(f"{format} has {len(unknown)} relations that the checkpoint does not know: {few}.")
