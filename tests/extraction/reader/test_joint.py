"""EEGA with its visual side as a live reader: it takes regions, reports its attention, and works without them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from extraction.features.batch import OBJECT_EDGES, OBJECT_WIDTH
from extraction.networks.eega import EEGA
from extraction.reader import load
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.joint import JointDetector, VisualJointDetector
from extraction.schema import Document, Region
from extraction.text.parser import Parser
from tests.tiny import tiny_checkpoint

TEXT = "Anna Stone lives in Berlin. Nobody came. Bob Reed left Paris."
BOXES = tuple(Region((0.1 * place, 0.2, 0.3, 0.4)) for place in range(3))


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


def seeing(parser: Parser) -> LoadedCheckpoint:
    """A tiny checkpoint with a visual side that takes words for persons, and all relations to be above the floor."""
    blind = tiny_checkpoint(parser)
    sides: dict[str, Any] = {"objects": 2, "object_width": OBJECT_WIDTH, "object_edges": OBJECT_EDGES, "band": 1}
    config = dataclasses.replace(blind.manifest.network, **sides)
    torch.manual_seed(0)
    network: Any = EEGA(config, blind.network.encoder).eval()
    with torch.no_grad():
        network.types.out[-1].bias[1 + blind.manifest.inventory.types.index("person")] += 1.0
    manifest = dataclasses.replace(blind.manifest, network=config, floor=0.0)
    return LoadedCheckpoint(manifest, network, blind.featurizer)


def test_a_saved_checkpoint_with_a_visual_side_is_loaded_as_one_that_sees(parser, tmp_path):
    seeing(parser).save(tmp_path)
    assert isinstance(load.reader(tmp_path, parser=parser).mentions, VisualJointDetector)
    blind = load.reader(tiny_checkpoint(parser).save(tmp_path / "blind"), parser=parser)
    assert isinstance(blind.mentions, JointDetector)


def test_regions_move_scores_and_stand_beside_them(parser):
    reader = load.reader_of(seeing(parser), parser)
    plain, shown = reader.read([Document("1", TEXT), Document("2", TEXT, images=("x.jpg",), regions=BOXES)])
    assert plain.relations and shown.relations
    assert not plain.grids and all(one.without_image is None and not one.evidence for one in plain.relations)
    alone = {(one.head, one.tail, one.key): one.score for one in plain.relations}
    both = [one for one in shown.relations if (one.head, one.tail, one.key) in alone]
    assert any(one.score != alone[one.head, one.tail, one.key] for one in both)
    for one in shown.relations:
        assert one.without_image is not None
        assert sum(part.weight for part in one.evidence) == pytest.approx(1.0, abs=1e-3)
        assert {part.reference["region"] for part in one.evidence} <= {0, 1}
    assert [len(grid.columns) for grid in shown.grids] == [2] * len(shown.grids)
    assert all(sum(row) == pytest.approx(1.0, abs=1e-3) for grid in shown.grids for row in grid.weights)


def test_a_missing_picture_is_reported(parser):
    reader = load.reader_of(seeing(parser), parser)
    bare, whole = reader.read([Document("1", TEXT, images=("x.jpg",)), Document("2", TEXT)])
    assert "detector" in bare.missing and "detector" not in whole.missing
    assert bare.relations == whole.relations
