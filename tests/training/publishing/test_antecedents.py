"""The scorer of antecedents learns from whole articles, on the states of a network that stays as it is."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from extraction.datasets import news, registry
from extraction.labels import inventory
from extraction.schema import Example
from extraction.text.parser import Parser
from tests.tiny import tiny_checkpoint
from training.config import TrainConfig
from training.data.preparation import prepare_for
from training.data.prepared import Vocabularies
from training.engine.transfer import grown
from training.heads import head_of
from training.publishing.antecedents import fit_antecedents


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


@pytest.fixture
def examples() -> list[Example]:
    loaded = registry.load("newsroom", "dev", news.CORPORA)
    documents = list(dict.fromkeys(one.document for one in loaded))[:8]
    return [one for one in loaded if one.document in documents]


def test_only_the_scorer_moves_and_its_loss_falls(parser, examples):
    start = tiny_checkpoint(parser, seed=2)
    manifest = start.manifest
    config = TrainConfig(data=("newsroom",))
    names = inventory((*("redocred", "conll04"), *config.data))
    network = grown(start, Vocabularies(names, start.featurizer), {"coreference": True})
    checkpoint = dataclasses.replace(
        start,
        network=network,
        manifest=dataclasses.replace(manifest, network=network.config, inventory=names, window=200),
    )
    prepared = prepare_for(checkpoint, head_of("eega"), examples, parser)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    lines: list[str] = []
    fit_antecedents(network, prepared, say=lines.append)
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert losses[-1] < 0.6 * losses[0]
    moved = {name for name, weight in network.state_dict().items() if not torch.equal(weight, before[name])}
    assert moved and all(name.startswith("coreference.") for name in moved)


def test_a_network_without_coreference_is_left_alone(parser, examples):
    checkpoint = tiny_checkpoint(parser)
    prepared = prepare_for(checkpoint, head_of("eega"), examples, parser)
    lines: list[str] = []
    fit_antecedents(checkpoint.network, prepared, say=lines.append)
    assert lines == []
