"""Batches of random sentences with pairs, objects and pictures, for tests of networks."""

from __future__ import annotations

import numpy as np
import torch

from extraction.features.batch import SELF_LOOP, Batch, Needs, Objects
from extraction.features.cooccurrence import LEVELS
from extraction.features.featurizer import SHAPES, Features, tree_hops
from extraction.features.model_inputs import InputRow, InputRows
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.schema import Candidate, Example, Region, WordSpan
from tests.tiny import tokenizer

VOCABULARY, MARKERS = 64, (60, 61, 62, 63)
DEPS = 5


def encoder(seed: int = 0, width: int = 16) -> TextEncoder:
    torch.manual_seed(seed)
    return TextEncoder.blank(tiny(VOCABULARY, width), len(SHAPES)).eval()


def features(heads: list[int], seed: int = 0) -> Features:
    """A sentence whose words have one piece each, by its tree: heads[i] is word i's governor or itself."""
    rng, size = np.random.default_rng(seed), len(heads)
    return Features(
        ids=rng.integers(4, 60, size + 2),
        shapes=rng.integers(0, len(SHAPES), size + 2),
        first=np.arange(1, size + 1),
        pos=rng.integers(1, 5, size),
        heads=np.array(heads),
        deps=rng.integers(2, DEPS, size),
        hops=tree_hops(np.array(heads)),
        together=rng.integers(0, LEVELS, (size, size)).astype(np.uint8),
    )


def regions(count: int, seed: int = 0, grounded: bool = False) -> tuple[Region, ...]:
    """Boxes anywhere in the picture."""
    rng = np.random.default_rng(seed)
    corners, sizes = rng.uniform(0, 0.5, (count, 2)), rng.uniform(0.1, 0.45, (count, 2))
    return tuple(
        Region((float(x), float(y), float(w), float(h)), grounded=grounded)
        for (x, y), (w, h) in zip(corners, sizes, strict=True)
    )


def row(needs: Needs, heads: list[int], found: tuple[Region, ...] = (), seed: int = 0) -> InputRow:
    """The pair of a sentence's first word (its head) and last word (its tail)."""
    last = len(heads) - 1
    spans = (WordSpan(0, 1, "person"), WordSpan(last, last + 1, "person"))
    example = Example("1", "made up", ("w",) * len(heads), spans, regions=found)
    return _rows(needs).pair(example, features(heads, seed), Candidate(0, 1))


def batch(needs: Needs, *rows: InputRow) -> Batch:
    return _rows(needs).batch(rows)


def objects(vectors: torch.Tensor, edges: torch.Tensor, present: torch.Tensor) -> Objects:
    """Objects without classes, boxes and depth; self-loops are added to the present ones."""
    count, most = present.shape
    loops = torch.diag_embed(present.long()) * SELF_LOOP
    nothing = torch.zeros(count, most)
    return Objects(vectors, edges | loops, present, nothing.long(), torch.zeros(count, most, 4), nothing)


def _rows(needs: Needs) -> InputRows:
    return InputRows(needs, tokenizer(), MARKERS)
