"""The one split of the corpora, for all time: by a digest of the id, so that new items never move old ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from extraction.datasets.annotation import Annotation

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def split_of(identifier: str) -> Split:
    """Of ten items one is dev and one test, on average."""
    tenth = int(hashlib.sha256(identifier.encode("utf-8")).hexdigest()[:8], 16) % 10
    return "test" if tenth == 0 else "dev" if tenth == 1 else "train"


def by_split(annotations: Iterable[Annotation]) -> dict[Split, list[Annotation]]:
    """The annotations of each split, in the order of their ids."""
    parts: dict[Split, list[Annotation]] = {name: [] for name in SPLITS}
    for annotation in sorted(annotations, key=lambda one: one.id):
        parts[split_of(annotation.id)].append(annotation)
    return parts
