"""A network that goes on with more to predict begins with what the checkpoint predicts."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from extraction.features.batch import collate
from extraction.labels import inventory
from extraction.text.parser import Parser
from tests.tiny import tiny_checkpoint
from training.data.prepared import Vocabularies
from training.engine.transfer import grown


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


def test_old_tags_and_relations_keep_their_scores_and_new_ones_are_improbable(parser):
    start = tiny_checkpoint(parser, seed=3)
    names = inventory((*("redocred", "conll04"), "voa"))
    network = grown(start, Vocabularies(names, start.featurizer), {"qualifiers": True, "coreference": True}).eval()
    batch = collate(start.featurizer.make(parser.parse_words([("Ada", "met", "Ann", "in", "Rome", ".")])))
    old, new = start.network(batch), network(batch)
    tags = [0, *(1 + names.tags.index(tag) for tag in start.manifest.inventory.tags)]
    assert torch.allclose(old.words, new.words, atol=1e-5)
    assert torch.allclose(old.type_logits, new.type_logits[..., tags], atol=1e-4)
    added = [tag for tag in range(1 + len(names.tags)) if tag not in tags]
    assert new.type_logits[..., added].mean() < old.type_logits.mean()
    i, j = torch.tensor([[0, 2]]), torch.tensor([[2, 4]])
    relations = [names.relation_keys.index(key) for key in start.manifest.inventory.relation_keys]
    # the new tags have a little of the types' probability, which the relations read
    assert torch.allclose(start.network.relate(old, i, j), network.relate(new, i, j)[..., relations], atol=0.2)
    assert network.qualifiers is not None and network.coreference is not None


def test_another_kind_of_network_does_not_grow(parser):
    start = tiny_checkpoint(parser)
    tagger = dataclasses.replace(start, manifest=dataclasses.replace(start.manifest, head="tags"))
    with pytest.raises(ValueError, match="only a word-pair network"):
        grown(tagger, Vocabularies(inventory(("voa",)), start.featurizer), {})
    with pytest.raises(ValueError, match="no setting 'wings'"):
        grown(start, Vocabularies(inventory(("redocred", "conll04", "voa")), start.featurizer), {"wings": 2})
