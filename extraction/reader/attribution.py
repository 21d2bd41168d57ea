"""What a pair network's answer rests on in the picture, and what it would say without it. No Django.

Evidence are shares over the regions that it was given: the network's own weights over objects, or those of the pair's
words over patches, mapped to boxes by overlap. The score without the picture is the same pair's with everything of the
picture masked out, asked only for pairs that lie above the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from extraction.features.batch import Batch
from extraction.features.model_inputs import Row
from extraction.networks.outputs import PairOutput
from extraction.reader.image_selection import Given
from extraction.schema import EvidencePart, Region, WeightGrid
from extraction.vision.boxes import from_patches

LEAST, MOST = 0.05, 5  # share of a region that counts as evidence, and how many of an edge are kept

Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Support:
    """Beside an edge's score: the regions that it rests on, and its score without the picture (None: none was read)."""

    evidence: tuple[EvidencePart, ...] = ()
    without_image: float | None = None


def sees_pictures(batch: Batch) -> bool:
    return batch.objects is not None or batch.pictures is not None


def without_picture(row: Row) -> Row:
    """The same pair, of a post without a picture."""
    return replace(row, regions=(), image="", key=None)


def attention(network: Any, batch: Batch) -> Floats | None:
    """What each word looked at, (B, n, objects or patches); None where the network does not say."""
    looked: Tensor | None = network.looked_at(batch) if hasattr(network, "looked_at") else None
    return None if looked is None else looked.float().cpu().numpy()


def weights_of(
    place: int, batch: Batch, output: PairOutput, looked: Floats | None, regions: Sequence[Region]
) -> Floats | None:
    """Shares (regions,) of row `place`, None where nothing is known of what it looked at."""
    if output.objects is not None and batch.objects is not None:
        found = output.objects[place].float().cpu().numpy()
    elif looked is not None and batch.pairs is not None:
        words = [int(batch.pairs.head_word[place])]
        words += [int(batch.pairs.tail_word[place])] if int(batch.pairs.region[place]) < 0 else []
        found = looked[place, words].mean(axis=0)
        if batch.objects is None:
            found = from_patches(found, round(len(found) ** 0.5), [region.box for region in regions])
    else:
        return None
    found = np.clip(found[: len(regions)], 0.0, None)
    total = float(found.sum())
    return found / total if total > 0 else None


def evidence(weights: Floats | None, places: Sequence[int]) -> tuple[EvidencePart, ...]:
    """The regions of most weight, by their number in the document; `places` has that of each weight."""
    if weights is None:
        return ()
    order = [int(at) for at in np.argsort(-weights, kind="stable")[:MOST] if weights[at] >= LEAST]
    return tuple(EvidencePart("region", {"region": places[at]}, round(float(weights[at]), 4)) for at in order)


def mention_grid(shares: Sequence[tuple[tuple[int, int], Floats | None]], shown: Given) -> WeightGrid | None:
    """Of a network that says only what its mentions looked at: each mention's span with its shares (k,), once."""
    rows = {span: found for span, found in shares if found is not None and len(found)}
    spans = sorted(rows)
    return grid(np.stack([rows[span] for span in spans]), spans, shown, patches=False) if spans else None


def grid(looked: Floats, spans: Sequence[tuple[int, int]], shown: Given, patches: bool) -> WeightGrid | None:
    """A passage's words by what they looked at, for people to see; `looked` (n, objects or patches)."""
    rows = looked[: len(spans)] if patches else looked[: len(spans), : len(shown.places)]
    if not rows.any():
        return None
    weights = tuple(tuple(round(float(one), 4) for one in row) for row in rows)
    if patches:
        return WeightGrid("patch", tuple(spans), weights, image=shown.picture, wide=round(rows.shape[1] ** 0.5))
    return WeightGrid("region", tuple(spans), weights, columns=shown.places[: rows.shape[1]])
