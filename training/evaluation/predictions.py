"""A network's output for prepared items, by head: logits of pairs, tagged mentions, or mentions with relations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from extraction.features.batch import Batch, to_device
from extraction.features.targets import PairTargets, pair_targets
from extraction.networks.outputs import TagOutput
from extraction.reader.decoding import DecodedSentence, Decoder, mentions_of
from training.data.items import TrainingItem
from training.data.prepared import Prepared

BATCH_PIECES = 1600  # padded word pieces a batch on a processor
ON_A_GPU = 8  # times as many
LARGEST_BATCH = 64  # items, of which each may have several pictures

Floats = NDArray[np.float32]


@torch.inference_mode()
def pair_logits(network: Any, prepared: Prepared) -> Floats:
    """(items, labels): each candidate's logits, in the items' order."""
    logits: Floats = np.zeros((len(prepared.items), 1 + len(prepared.inventory.relations)), np.float32)
    for chosen, batch in batches(network, prepared):
        logits[chosen] = network(batch).logits.float().cpu().numpy()
    return logits


def settle(network: Any, prepared: Prepared) -> None:
    """Lets a network choose on dev a value that is not trained (RelFormer: its filter's threshold)."""
    if not hasattr(network, "settle"):
        return
    network.settle(
        (batch, to_device(_pair_targets(prepared, chosen), batch.ids.device))
        for chosen, batch in batches(network, prepared)
    )


def _pair_targets(prepared: Prepared, chosen: Sequence[int]) -> PairTargets:
    items = [prepared.items[place] for place in chosen]
    examples = [prepared.examples[item.example] for item in items]
    return pair_targets(examples, [item.candidate for item in items], prepared.inventory)


@torch.inference_mode()
def found_by_tags(network: Any, prepared: Prepared) -> list[DecodedSentence]:
    """The mentions that a tagger finds in each example."""
    found: list[DecodedSentence] = [DecodedSentence()] * len(prepared.items)
    for chosen, batch in batches(network, prepared):
        output = network(batch)
        tags: TagOutput = output if isinstance(output, TagOutput) else output.tags
        for place, mentions in zip(chosen, mentions_of(network.decode(tags, batch), batch), strict=True):
            found[place] = DecodedSentence(mentions)
    return found


@torch.inference_mode()
def found_by_word_pairs(network: Any, prepared: Prepared) -> list[DecodedSentence]:
    """The mentions and relations that a word-pair network finds in each example."""
    decoder = Decoder(prepared.inventory, qualified=network.config.qualifiers)
    found: list[DecodedSentence] = [DecodedSentence()] * len(prepared.items)
    for chosen, batch in batches(network, prepared):
        for place, one in zip(chosen, decoder(network, batch, network(batch)), strict=True):
            found[place] = one
    return found


def batches(network: Any, prepared: Prepared) -> Iterator[tuple[list[int], Batch]]:
    """Places of items of similar length, and their batch on the network's device."""
    network.eval()
    device = next(network.parameters()).device
    rows = prepared.rows(network.needs)
    most = BATCH_PIECES * (ON_A_GPU if device.type == "cuda" else 1)
    for chosen in by_size(prepared, most):
        shown = [_row(prepared, rows, prepared.items[place]) for place in chosen]
        yield chosen, to_device(rows.batch(shown, prepared.windows(chosen)), device)


def _row(prepared: Prepared, rows: Any, item: TrainingItem) -> Any:
    return prepared.row(rows, item, prepared.titled[item.example])


def by_size(prepared: Prepared, pieces: int) -> Iterator[list[int]]:
    """Places of items, whole windows of them, at most `pieces` padded word pieces and LARGEST_BATCH items at once."""
    runs = prepared.runs(range(len(prepared.items)))
    lengths = [sum(len(prepared.titled[prepared.items[item].example].ids) for item in run) for run in runs]
    batch: list[int] = []
    count = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (lengths[place] * (count + 1) > pieces or len(batch) >= LARGEST_BATCH):
            yield batch
            batch, count = [], 0
        batch += runs[place]
        count += 1
    if batch:
        yield batch
