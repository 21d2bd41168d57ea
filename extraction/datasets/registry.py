"""Public data sets as `Example`s: one loader each, in the inventory's labels ("mapped") or the set's own ("native").

    load("conll04", "train", Path("data"))            one split of one set
    training_set(("redocred", "conll04"), Path("data"))   train splits together, without texts of dev or test sets

No Django; runs in a notebook.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from extraction import labels as label_sets
from extraction.datasets import conll04, crossre, gmner, mnre, more, news, redocred, reviewed, twitter
from extraction.datasets.facts import with_facts
from extraction.datasets.folders import MNRE, folder_of
from extraction.datasets.load_report import DatasetError, LoadReport
from extraction.labels import CROSSRE_DOMAINS, Inventory, LabelMode
from extraction.schema import Example

__all__ = [
    "LOADERS",
    "SPLITS",
    "DatasetError",
    "LoadReport",
    "drop_held_out",
    "inventory",
    "load",
    "text_key",
    "training_set",
]

SPLITS = ("train", "dev", "test")

Loader = Callable[[str, Path, LabelMode, LoadReport], list[Example]]

LOADERS: dict[str, Loader] = {
    "redocred": redocred.load,
    "jmere": mnre.load_related,
    "mnre_none": mnre.load_unrelated,
    "mnre": mnre.load_pairs,
    "conll04": conll04.load,
    **{name: partial(news.load, name) for name in label_sets.NEWS},
    "twitter2015": twitter.load_2015,
    "twitter2017": twitter.load_2017,
    "gmner": gmner.load,
    "more": more.load,
    "crossre": partial(crossre.load, crossre.WIKIPEDIA),
    **{f"crossre_{name.replace('-', '_')}": partial(crossre.load, (name,)) for name in CROSSRE_DOMAINS},
}


def load(
    name: str, split: str, root: Path, labels: LabelMode = "mapped", report: LoadReport | None = None
) -> list[Example]:
    """One split of a data set, in file order; `root` is the folder that holds the sets' folders.

    Raises DatasetError naming file and line where a file is missing or not in its format. `report` is filled with
    counts.
    """
    loader = partial(reviewed.load, name) if label_sets.unversioned(name) == label_sets.REVIEWED else LOADERS.get(name)
    if loader is None:
        known = ", ".join([*LOADERS, label_sets.REVIEWED])
        raise DatasetError(f"unknown data set {name!r}; there are {known}")
    if split not in SPLITS:
        raise DatasetError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
    report = LoadReport() if report is None else report
    examples = with_facts(loader(split, root, labels, report), root / folder_of(name), report)
    report.add("examples", len(examples))
    return examples


def inventory(names: Sequence[str], root: Path, labels: LabelMode = "mapped") -> Inventory:
    """What a network for these sets predicts: as `labels.inventory`, with MORE's relations from its own file.

    Raises DatasetError where that file is missing, ValueError for sets that cannot be combined with these labels.
    """
    known = label_sets.inventory(tuple(names), labels)
    if "more" not in names:
        return known
    own = more.inventory(root, known.types)
    return Inventory(known.types, known.relations + own.relations, known.forms)


def training_set(
    names: Sequence[str], root: Path, labels: LabelMode = "mapped", report: LoadReport | None = None
) -> list[Example]:
    """The train splits of these sets, without texts of the dev and test splits of any of them."""
    report = LoadReport() if report is None else report
    examples = [example for name in names for example in load(name, "train", root, labels, report)]
    # MNRE's parts share their files: all are held out wherever one is loaded.
    families = set(names) | (MNRE if MNRE & set(names) else set())
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


# "http://t.co/x", "http://t. co/x" and what a cut left of one: "htt…"
_LINK = re.compile(r"\bhtt(?:p|…|\.\.)\S*(?:\s+(?:co|com|ly|gl)/\S+)?")
_RETWEET = re.compile(r"^rt\s*@\s*\w+(?:\s+_+\s*\w*)*\s*:?")  # "RT @name :", the name cut by some tokenizers


def text_key(words: Sequence[str]) -> str:
    """A text as compared between data sets: its letters and digits, without links and the "RT @name" of a retweet.

    Case, punctuation and word bounds are ignored: the same tweet is tokenized differently in every set.
    """
    text = " ".join(words).casefold()
    bare = _LINK.sub(" ", _RETWEET.sub(" ", text))
    return "".join(c for c in bare if c.isalnum()) or text
