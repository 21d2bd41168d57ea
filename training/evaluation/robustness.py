"""Evaluates a checkpoint of any system on a data set, as it is or made harder, alone or against other predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from extraction.datasets import registry
from extraction.datasets.registry import DatasetError
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.schema import Example
from training.config import TrainConfig
from training.data.images import folders_named, missing, pictures_for, with_prepared
from training.data.parse_cache import Parses
from training.data.preparation import prepare_for
from training.data.prepared import Head
from training.evaluation.bootstrap import difference, interval, spread
from training.evaluation.perturbation import changed, disturbed_regions, shuffled_images
from training.evaluation.predictions_file import rule
from training.scores import Calibrated, Scores

Say = Callable[[str], object]


@dataclass(frozen=True)
class Trial:
    """What a checkpoint is evaluated on. Shares of examples with another's picture, and of regions that are wrong."""

    data: str
    split: str = "test"
    shuffle_images: float = 0.0
    disturb_regions: float = 0.0
    seed: int = 0
    images: str | None = None  # folder of the pictures; None = the data set's own, or those of the training


def tried(
    checkpoint: LoadedCheckpoint, head: Head, root: Path, trial: Trial, parser: Parses, say: Say = lambda line: None
) -> Scores:
    """Raises DatasetError; ValueError for shares, or labels that the checkpoint does not know.

    `say` gets how many examples were made harder, and how many pictures are missing.
    """
    manifest = checkpoint.manifest
    config = TrainConfig.from_dict(manifest.training["config"])
    examples = [one for one in registry.load(trial.data, trial.split, root, config.labels) if one.words]
    examples = with_prepared(examples[: config.limit or None], config.prepared, root)
    examples = harder(examples, trial, head, say)
    prepared = prepare_for(checkpoint, head, examples, parser, pictures_shown(checkpoint, examples, root, trial, say))
    return prepared.score(checkpoint.network, Calibrated.of(manifest))


def pictures_shown(
    checkpoint: LoadedCheckpoint, examples: Sequence[Example], root: Path, trial: Trial, say: Say
) -> str:
    """The folder of the pictures that the checkpoint is shown, "" for none.

    Raises ValueError if pictures are named but the network has no vision encoder, DatasetError if one is missing.
    """
    manifest = checkpoint.manifest
    config = TrainConfig.from_dict(manifest.training["config"])
    if not checkpoint.network.needs.pictures:
        if trial.images:
            raise ValueError(f"{manifest.name} is not shown pictures: it has no vision encoder.")
        return ""
    if manifest.given.shown == "canvas":
        if trial.images:
            raise ValueError(f"{manifest.name} was trained on boxes on a grey canvas, and is shown no photographs.")
        return ""
    images = pictures_for(config.images, config.data, root, trial.data) if trial.images is None else trial.images
    if config.images and not images and trial.images is None:
        raise DatasetError(
            f"{manifest.name} was trained with pictures from {config.images}, and there are none for {trial.data}: "
            "name their folder with --images, or nothing with --images '' to measure it without."
        )
    if folders_named(images) and (gone := missing(examples, images)):
        say(gone)
    return images


def harder(examples: Sequence[Example], trial: Trial, head: Head, say: Say) -> list[Example]:
    """The examples made harder as the trial asks; raises ValueError."""
    # Candidates that this head is not asked about hold no region in its place.
    result = [replace(one, candidates=tuple(filter(head.asks, one.candidates))) for one in examples]
    if trial.shuffle_images:
        before, result = result, shuffled_images(result, trial.shuffle_images, trial.seed)
        say(f"{changed(before, result)} of {len(result)} examples have another's picture")
    if trial.disturb_regions:
        before, result = result, disturbed_regions(result, trial.disturb_regions, trial.seed)
        say(f"{changed(before, result)} of {len(result)} examples have regions that are wrong")
    return result


def report_lines(judged: Scores, by_relation: bool = False, confusion: bool = False) -> Iterator[str]:
    """The figures in lines for people."""
    yield "  ".join(f"{name} {value:.1%}" for name, value in judged.figures.items())
    if len(judged.counts):
        band = interval(judged.counts)
        yield f"95 % interval of F1 over resampled items: {band.low:.1%} to {band.high:.1%}"
    if by_relation:
        for name, one in sorted(judged.by_relation.items(), key=lambda item: -item[1]["gold"]):
            shares = "  ".join(f"{key} {one[key]:.1%}" for key in ("precision", "recall", "f1"))
            yield f"{name:32s} {shares}  of {one['gold']}"
    if confusion:
        for gold, found in judged.confusion.items():
            yield f"{gold}: " + ", ".join(f"{name} {times}" for name, times in sorted(found.items(), key=_most))


def _most(item: tuple[str, int]) -> int:
    return -item[1]


def against(judged: Scores, path: Path) -> str:
    """How the F1 differs from that of the predictions in a file; raises ValueError where they are of other items."""
    try:
        rival: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        other = np.array(rival["counts"], np.int64).reshape(-1, 3)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no predictions ({error}): name a predictions-test.json of a run") from error
    own = rule(judged)
    if own and rival.get("rule", "most probable") != own:
        raise ValueError(
            f"{path} counts pairs by another rule (a probability chosen on dev, or the most probable label): "
            "evaluate its checkpoint again, or train it again."
        )
    apart = difference(judged.counts, other)
    rival_name = rival.get("checkpoint", path.name)
    return (
        f"F1 {100 * apart.value:+.1f} against {rival_name}, 95 % interval {100 * apart.low:+.1f} to "
        f"{100 * apart.high:+.1f}, p {apart.p:.3f} (paired bootstrap)"
    )


def spreads(folders: Sequence[Path]) -> Iterator[str]:
    """Mean and spread of the test figures of runs that differ in their seed; raises ValueError for other runs."""
    runs = []
    for folder in folders:
        try:
            runs.append(json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ValueError(f"{folder} holds no finished run ({error})") from error
    settings = [TrainConfig.from_dict({**run["config"], "seed": 0}) for run in runs]
    if any(one != settings[0] for one in settings):
        raise ValueError("these runs differ in more than their seed: mean and spread would say nothing")
    if any(run["test"]["figures"].keys() != runs[0]["test"]["figures"].keys() for run in runs):
        raise ValueError("these runs count pairs by different rules: train the older ones again")
    seeds = ", ".join(str(run["config"]["seed"]) for run in runs)
    yield f"{len(runs)} runs of {runs[0]['config']['system']}, seeds {seeds}"
    for name in runs[0]["test"]["figures"]:
        one = spread([run["test"]["figures"][name] for run in runs])
        yield f"  {name} {one.mean:.1%} ({100 * one.deviation:.1f}), {one.smallest:.1%} to {one.largest:.1%}"
