"""Continue from a checkpoint that predicts less: its weights by the labels of its outputs, the rest as new."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from extraction.features.featurizer import SHAPES
from extraction.networks.encoders.text import TextEncoder
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import LoadedCheckpoint
from training.data.prepared import Vocabularies

# Outputs by tag (the first is "none") or by relation, and inputs by tag, of a word-pair network's scorers.
TAG_ROWS = ("types.out.2.weight", "types.out.2.bias")
TAG_COLUMNS = ("relations.head_type.weight", "relations.tail_type.weight")
RELATION_ROWS = ("relations.out.weight", "relations.out.bias")


def grown(start: LoadedCheckpoint, vocabularies: Vocabularies, options: dict[str, Any]) -> Any:
    """A word-pair network for these vocabularies that predicts, before its first step, as the checkpoint does.

    `options` are settings of the network that the run changes. Weights that have no counterpart of their shape in the
    checkpoint (those of a part that it lacks) are random. Raises ValueError for another kind of network.
    """
    manifest, system = start.manifest, SYSTEMS[start.manifest.system]
    if manifest.head != "word_pairs" or manifest.network.scorer == "linear":
        raise ValueError(f"only a word-pair network can go on with more outputs, and this one has {manifest.head}")
    sizes = vars(vocabularies.sizes)
    known = {field.name for field in dataclasses.fields(manifest.network)}
    if unknown := sorted(set(options) - known):
        raise ValueError(f"{type(manifest.network).__name__} has no setting {unknown[0]!r}")
    values = {name: sizes[name] for name in ("types", "relations")} | options
    encoder = TextEncoder.blank(manifest.encoder["architecture"], len(SHAPES))
    network: Any = system.build(dataclasses.replace(manifest.network, **values), encoder)
    new = network.state_dict()
    old, names = manifest.inventory, vocabularies.inventory
    tags = [0, *(1 + names.tags.index(tag) for tag in old.tags)]
    relations = [names.relation_keys.index(key) for key in old.relation_keys]
    for name, value in start.network.state_dict().items():
        if name in TAG_ROWS:
            new[name][tags] = value
        elif name in TAG_COLUMNS:
            new[name][:, tags] = value
        elif name in RELATION_ROWS:
            new[name][relations] = value
        elif name in new and new[name].shape == value.shape:
            new[name] = value
    _quiet(new, len(old.tags), tags)
    network.load_state_dict(new)
    return network


@torch.no_grad()
def _quiet(weights: dict[str, Tensor], known: int, tags: list[int]) -> None:
    """New tags begin as improbable as a rare one: the old ones are not to lose their place to chance."""
    if known + 1 == len(weights[TAG_ROWS[1]]):
        return
    added = [tag for tag in range(len(weights[TAG_ROWS[1]])) if tag not in tags]
    weights[TAG_ROWS[1]][added] = weights[TAG_ROWS[1]][tags].min() - 1.0
    weights[TAG_ROWS[0]][added] *= 0.5
