"""The evidence for relations in pictures, and their scores without the picture. No Django.

Evidence is a share for each region: the network's own weights over objects, or those of the pair's words over patches,
mapped to boxes by overlap. The score without the picture is that of the same pair with the whole picture masked,
computed only for pairs above the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from extraction.features.batch import Batch
from extraction.features.model_inputs import InputRow
from extraction.networks.outputs import PairOutput
from extraction.reader.image_selection import SelectedImages
from extraction.schema import EvidencePart, Region, WeightGrid
from extraction.vision.boxes import from_patches

MIN_SHARE, MAX_REGIONS = 0.05, 5  # share from which a region is evidence, and how many are kept for a relation

Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Support:
    """A relation's evidence in the picture, and its score without the picture (None: the reader took none)."""

    evidence: tuple[EvidencePart, ...] = ()
    without_image: float | None = None


def sees_pictures(batch: Batch) -> bool:
    return batch.objects is not None or batch.pictures is not None


def without_picture(row: InputRow) -> InputRow:
    """The same pair, of a post without a picture."""
    return replace(row, regions=(), scene=None, grounded=(), image="", key=None)


def attention(network: Any, batch: Batch) -> Floats | None:
    """The attention of each word (B, n, objects or patches); None where the network does not report it."""
    weights: Tensor | None = network.attention_weights(batch) if hasattr(network, "attention_weights") else None
    return None if weights is None else weights.float().cpu().numpy()


def weights_of(
    place: int, batch: Batch, output: PairOutput, attended: Floats | None, regions: Sequence[Region]
) -> Floats | None:
    """Shares (regions,) of row `place`; None where its attention is not known."""
    if output.objects is not None and batch.objects is not None:
        found = output.objects[place].float().cpu().numpy()
    elif attended is not None and batch.pairs is not None:
        words = [int(batch.pairs.head_word[place])]
        words += [int(batch.pairs.tail_word[place])] if int(batch.pairs.region[place]) < 0 else []
        found = attended[place, words].mean(axis=0)
        if batch.objects is None:
            found = from_patches(found, round(len(found) ** 0.5), [region.box for region in regions])
    else:
        return None
    found = np.clip(found[: len(regions)], 0.0, None)
    total = float(found.sum())
    return found / total if total > 0 else None


def evidence(weights: Floats | None, places: Sequence[int]) -> tuple[EvidencePart, ...]:
    """The regions with the highest weights, by their index in the document; `places` has the index of each weight."""
    if weights is None:
        return ()
    order = [int(at) for at in np.argsort(-weights, kind="stable")[:MAX_REGIONS] if weights[at] >= MIN_SHARE]
    return tuple(EvidencePart("region", {"region": places[at]}, round(float(weights[at]), 4)) for at in order)


def mention_grid(shares: Sequence[tuple[tuple[int, int], Floats | None]], shown: SelectedImages) -> WeightGrid | None:
    """The grid of a network that reports the attention of its mentions only: each span with its shares (k,), once."""
    rows = {span: found for span, found in shares if found is not None and len(found)}
    spans = sorted(rows)
    return grid(np.stack([rows[span] for span in spans]), spans, shown, patches=False) if spans else None


def grid(attended: Floats, spans: Sequence[tuple[int, int]], shown: SelectedImages, patches: bool) -> WeightGrid | None:
    """The attention of a passage's words, for display; `attended` (n, objects or patches)."""
    rows = attended[: len(spans)] if patches else attended[: len(spans), : len(shown.places)]
    if not rows.any():
        return None
    weights = tuple(tuple(round(float(one), 4) for one in row) for row in rows)
    if patches:
        return WeightGrid("patch", tuple(spans), weights, image=shown.picture, wide=round(rows.shape[1] ** 0.5))
    return WeightGrid("region", tuple(spans), weights, columns=shown.places[: rows.shape[1]])
