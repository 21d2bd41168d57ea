"""A text encoder on onnxruntime has the states of the one that is trained, and refuses weights that do not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from extraction.features.featurizer import SHAPES
from extraction.networks.encoders.onnx_text import OnnxTextEncoder, is_available
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import CheckpointError, LoadedCheckpoint
from extraction.reader.load import reader_of
from extraction.schema import Document
from extraction.text.parser import Parser
from tests.tiny import tiny_checkpoint

TEXT = (
    "Ada Lovelace worked with Charles Babbage in London on the engine that he had planned for many years. The river "
    "rises in the hills. It flows through three towns, and people have lived on its banks for long."
)


@pytest.fixture
def encoder():
    torch.manual_seed(3)
    made = TextEncoder.blank(tiny(width=32, layers=3), len(SHAPES)).eval()
    with torch.no_grad():  # shapes and biases begin at zero, and would not be seen
        for name, weight in made.named_parameters():
            if name.startswith("shape") or name.endswith("bias"):
                weight.normal_(std=0.5)
    return made


@pytest.mark.parametrize(("rows", "length"), [(1, 1), (3, 7), (5, 60)])
@torch.inference_mode()
def test_its_states_are_those_of_the_trained_encoder(encoder, rows, length):
    fast = OnnxTextEncoder(encoder.architecture, encoder.state_dict(), threads=1)
    ids, shapes = torch.randint(0, 64, (rows, length)), torch.randint(0, len(SHAPES), (rows, length))
    mask = torch.arange(length) < torch.linspace(length, 1, rows).round()[:, None]
    states, expected = fast(ids, shapes, mask), encoder(ids, shapes, mask)
    assert torch.allclose(states[mask], expected[mask], atol=1e-5)
    assert fast.width == encoder.width and not list(fast.parameters())


def test_what_stands_in_the_padding_changes_nothing(encoder):
    fast = OnnxTextEncoder(encoder.architecture, encoder.state_dict(), threads=1)
    ids, shapes = torch.randint(0, 64, (2, 9)), torch.zeros(2, 9, dtype=torch.long)
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[1, 4:] = False
    other = torch.where(mask, ids, (ids + 7) % 64)
    assert torch.allclose(fast(ids, shapes, mask)[1, :4], fast(other, shapes, mask)[1, :4], atol=1e-6)


def test_weights_that_do_not_fit_are_refused(encoder):
    weights = encoder.state_dict()
    wide = "model.encoder.layer.1.output.dense.weight"
    with pytest.raises(ValueError, match=wide):
        OnnxTextEncoder(encoder.architecture, {**weights, wide: weights[wide][:, 1:]}, threads=1)
    with pytest.raises(ValueError, match="missing or unknown"):
        OnnxTextEncoder(encoder.architecture, {key: one for key, one in weights.items() if key != wide}, threads=1)


def test_it_takes_no_other_architecture_and_no_other_device():
    assert is_available(tiny(), "cpu")
    assert not is_available(tiny(), "cuda")
    assert not is_available({**tiny(), "model_type": "roberta"}, "cpu")
    assert not is_available({**tiny(), "hidden_act": "relu"}, "cpu")
    assert {key for key, system in SYSTEMS.items() if system.layered} == {"rsrnet", "relformer"}


def test_a_checkpoint_that_is_loaded_for_reading_reads_as_the_trained_one(tmp_path):
    parser = Parser.load()
    made = tiny_checkpoint(parser, seed=6)
    with torch.no_grad():
        made.network.get_parameter("relations.out.bias").fill_(1.0)
    made = replace(made, manifest=replace(made.manifest, floor=0.0))
    folder = made.save(tmp_path / "checkpoint")
    trained, fast = LoadedCheckpoint.load(folder), LoadedCheckpoint.load(folder, reads_on="cpu")
    assert isinstance(trained.network.encoder, TextEncoder) and isinstance(fast.network.encoder, OnnxTextEncoder)
    one, other = (reader_of(each, parser).read([Document("1", TEXT)])[0] for each in (trained, fast))
    assert one.mentions and one.relations
    assert [(each.start, each.end, each.type) for each in one.mentions] == [
        (each.start, each.end, each.type) for each in other.mentions
    ]
    assert [each.score for each in one.relations] == pytest.approx([each.score for each in other.relations], abs=1e-4)


def test_a_checkpoint_whose_weights_do_not_fit_is_refused_for_reading_too(tmp_path):
    folder = tiny_checkpoint(Parser.load()).save(tmp_path / "checkpoint")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"intermediate_size": 32', '"intermediate_size": 48'))
    with pytest.raises(CheckpointError, match="do not fit"):
        LoadedCheckpoint.load(folder, reads_on="cpu")
