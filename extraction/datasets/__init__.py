"""Public data sets as `Example`s: one loader each, in the inventory's labels ("mapped") or the set's own ("native").

    load("conll04", "train", Path("data"))            one split of one set
    training_set(("redocred", "conll04"), Path("data"))   train splits together, without what dev or test sets hold

No Django; runs in a notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from extraction.datasets import conll04, mnre, redocred, twitter
from extraction.datasets.reading import DatasetError, LoadReport
from extraction.labels import LabelMode
from extraction.schema import Example

__all__ = ["LOADERS", "SPLITS", "DatasetError", "LoadReport", "drop_held_out", "load", "text_key", "training_set"]

SPLITS = ("train", "dev", "test")

Loader = Callable[[str, Path, LabelMode, LoadReport], list[Example]]

LOADERS: dict[str, Loader] = {
    "redocred": redocred.load,
    "jmere": mnre.load_related,
    "mnre_none": mnre.load_unrelated,
    "conll04": conll04.load,
    "twitter2015": twitter.load_2015,
    "twitter2017": twitter.load_2017,
}


def load(
    name: str, split: str, root: Path, labels: LabelMode = "mapped", report: LoadReport | None = None
) -> list[Example]:
    """One split of a data set, in file order; `root` is the folder that holds the sets' folders.

    Raises DatasetError naming file and line where a file is missing or not in its format. `report` is filled with
    counts.
    """
    if name not in LOADERS:
        raise DatasetError(f"unknown data set {name!r}; there are {', '.join(LOADERS)}")
    if split not in SPLITS:
        raise DatasetError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
    report = LoadReport() if report is None else report
    examples = LOADERS[name](split, root, labels, report)
    report.add("examples", len(examples))
    return examples


def training_set(
    names: Sequence[str], root: Path, labels: LabelMode = "mapped", report: LoadReport | None = None
) -> list[Example]:
    """The train splits of these sets, without any text that a dev or test split of any of them holds."""
    report = LoadReport() if report is None else report
    examples = [example for name in names for example in load(name, "train", root, labels, report)]
    # MNRE's two halves share sentences with nothing but each other's files; both are held out wherever one is loaded.
    families = set(names) | ({"jmere", "mnre_none"} if {"jmere", "mnre_none"} & set(names) else set())
    held_out = [
        example for name in sorted(families) for split in ("dev", "test") for example in load(name, split, root, labels)
    ]
    kept = drop_held_out(examples, held_out)
    report.add("examples dropped because a dev or test set holds their text", len(examples) - len(kept))
    return kept


def drop_held_out(examples: Iterable[Example], held_out: Iterable[Example]) -> list[Example]:
    """The examples whose words, normalised by `text_key`, are those of no held-out example."""
    seen = {text_key(example.words) for example in held_out}
    return [example for example in examples if text_key(example.words) not in seen]


def text_key(words: Sequence[str]) -> str:
    """Words as compared between data sets, without case, punctuation, links and the "RT @name" of a passed-on tweet."""
    rest = list(words)
    if len(rest) > 1 and rest[0].casefold() == "rt" and rest[1].startswith("@"):
        del rest[:2]
    kept = ("".join(c for c in word.casefold() if c.isalnum()) for word in rest if not word.startswith("http"))
    key = " ".join(word for word in kept if word)
    return key or " ".join(words)
