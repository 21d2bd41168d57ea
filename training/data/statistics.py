"""Counts of a data set, split by split: loaded in a process of its own with limits on memory and time."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from extraction.datasets import registry
from extraction.datasets.mnre import with_grounding
from extraction.schema import Example
from training.data import label_leakage as audits

MOST_BYTES = 8_000_000_000  # of address space; a file of the largest upload takes several times its size
MOST_SECONDS = 1200
NO_RELATION = "(none)"
Counts = dict[str, Any]


def bound_process() -> None:
    """A file made to exhaust memory ends this process with a MemoryError, and nothing else."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))


@dataclass(frozen=True)
class Loaded:
    """The splits of a data set that exist, and what their loader counted and left out."""

    splits: dict[str, list[Example]]
    reports: dict[str, list[tuple[str, int]]]


def load(format: str, root: Path) -> Loaded:
    """Raises DatasetError where a split is not in its format, or none exists."""
    loaded, missing = Loaded({}, {}), None
    for split in registry.SPLITS:
        report = registry.LoadReport()
        try:
            loaded.splits[split] = registry.load(format, split, root, "native", report)
        except registry.DatasetError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            missing = error
        else:
            loaded.reports[split] = sorted(report.counts.items())
    if not loaded.splits and missing is not None:
        raise missing
    return loaded


def counts(examples: Sequence[Example]) -> Counts:
    """Examples, words, mentions by type, relations by label, and pictures, regions and facts."""
    lengths = [len(example.words) for example in examples]
    types = Counter(mention.type or "(unknown)" for example in examples for mention in example.mentions)
    candidates = [one for example in examples for one in example.candidates]
    keys = Counter(relation.key for example in examples for relation in example.relations)
    if candidates:
        keys = Counter(one.key or NO_RELATION for one in candidates)
    return {
        "examples": len(examples),
        "words": round(fmean(lengths), 1) if lengths else 0,
        "longest": max(lengths, default=0),
        "mentions": types.most_common(),
        "relations": keys.most_common(),
        "pictures": sum(bool(example.image) for example in examples),
        "boxes": sum(len(example.regions) for example in examples),
        "facts": sum(len(example.facts) for example in examples),
    }


def audit(format: str, root: Path, loaded: Loaded, others: Mapping[str, Path]) -> dict[str, Any]:
    """What gives labels away and which texts splits share, as plain JSON; `others`: sets whose dev and test texts
    training must not hold."""
    splits = loaded.splits
    if format == "mnre":
        splits = {split: with_grounding(examples, split, root) for split, examples in splits.items()}
    held_out: dict[str, list[Example]] = {}
    for other, place in others.items():
        for split in ("dev", "test"):
            with suppress(registry.DatasetError):  # its own check reports it
                held_out[f"{other}'s {split}"] = registry.load(other, split, place, "native")
    found = audits.audit(format, splits, held_out)
    return {
        "warnings": found.warnings,
        "features": [vars(one) for one in found.features],
        "guesses": [vars(one) for one in found.guesses],
        "shared": [vars(one) for one in found.shared],
        "pictures": found.pictures,
    }
