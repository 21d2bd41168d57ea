"""Evidence in pictures and scores without them, with the real networks of pair systems."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from extraction.networks.outputs import PairOutput
from extraction.reader.reader import Reader
from extraction.schema import Document, Extraction, Region, Relation
from extraction.text.parser import Parser
from extraction.vision import grounding
from tests.extraction.reader.test_pair_classifier import TEXT, classifier, composed, pair_checkpoint

REGIONS = (
    Region((0.1, 0.1, 0.3, 0.8), "person", 0.9, depth=0.5),
    Region((0.5, 0.5, 0.2, 0.3), "dog", 0.7),
    Region((0.0, 0.0, 0.1, 0.1), "car", 0.6, image=1),
)


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


@pytest.fixture
def picture(tmp_path: Path) -> str:
    made = tmp_path / "shown.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)).save(made)
    return str(made)


def asking(parser: Parser, folder: Path, system: str) -> Reader:
    """A reader of a random network of this system, of which every answer counts; words are grounded as in training."""
    given = pair_checkpoint(folder / system, system, "pair").manifest.given
    inputs = dataclasses.replace(given, grounding=grounding.BY_CLASS)
    return composed(parser, folder / system, system, floor=0.0, inputs=inputs)


@pytest.mark.parametrize("system", ["mega", "focalmre", "rsrnet", "relformer"])
def test_every_pair_system_has_scores_without_the_picture(
    parser: Parser, tmp_path: Path, picture: str, system: str
) -> None:
    reader = asking(parser, tmp_path, system)
    shown = Document("1", TEXT, images=(picture, ""), regions=REGIONS)
    [seen], [blind] = reader.read([shown]), reader.read([Document("1", TEXT)])
    alone = {(one.head, one.tail, one.key): one.score for one in blind.relations}
    assert stated(seen) and all(one.without_image is None for one in blind.relations)
    for one in stated(seen):
        assert one.without_image == pytest.approx(alone[one.head, one.tail, one.key], abs=1e-4)
    assert any(abs(one.score - (one.without_image or 0.0)) > 1e-7 for one in stated(seen)), "the picture moves nothing"
    assert (seen.regions, blind.regions) == (REGIONS, ())


@pytest.mark.parametrize(
    ("system", "kind", "regions", "takes"),
    [
        ("mega", "region", {0, 1, 2}, "regions"),
        ("focalmre", "patch", {0, 1}, "leading"),
        ("rsrnet", "region", {0, 1}, "leading"),
        ("relformer", "region", {0, 1}, "leading"),
    ],
)
def test_evidence_are_shares_of_the_regions_that_were_given(
    parser: Parser, tmp_path: Path, picture: str, system: str, kind: str, regions: set[int], takes: str
) -> None:
    reader = asking(parser, tmp_path, system)
    [read] = reader.read([Document("1", TEXT, images=(picture, ""), regions=REGIONS)])
    shares = [{part.reference["region"]: part.weight for part in one.evidence} for one in read.relations]
    assert set().union(*shares) == regions
    assert (read.takes, read.used_images) == (takes, (0, 1) if takes == "regions" else (0,))
    assert all(sum(found.values()) <= 1.001 for found in shares)
    assert {grid.kind for grid in read.grids} == {kind}
    for grid in read.grids:
        assert len(grid.spans) == len(grid.weights)
        assert set(grid.columns) == (regions if kind == "region" else set())
        assert all(TEXT[start:end].strip() for start, end in grid.spans)


def test_a_region_of_another_picture_is_named_by_its_number_in_the_document(
    parser: Parser, tmp_path: Path, picture: str
) -> None:
    """The most confident region is in the second picture: the network takes it first, and its evidence is region 2."""
    reader = composed(parser, tmp_path, "mega")
    pairs = classifier(reader)
    pairs.network = Sees(pairs.network, 1 + pairs.manifest.inventory.relation_keys.index("/per/loc/place_of_birth"))
    regions = (*REGIONS[:2], dataclasses.replace(REGIONS[2], score=0.99))
    [read] = reader.read([Document("1", TEXT, images=(picture, picture), regions=regions)])
    assert stated(read)
    for one in stated(read):
        assert [(part.reference, part.weight) for part in one.evidence] == [
            ({"region": 0}, 0.75),
            ({"region": 2}, 0.25),
        ]


def stated(read: Extraction) -> list[Relation]:
    """Those between two mentions: who is shown where is another matter."""
    return [one for one in read.relations if isinstance(one.tail, int)]


class Sees(torch.nn.Module):
    """Gives a label where there is a picture and nothing where there is none; attends to the second object three times
    as long as at the first."""

    def __init__(self, net: Any, label: int) -> None:
        super().__init__()
        self.needs, self.label, self.width = net.needs, label, net.config.labels

    def forward(self, batch: Any) -> PairOutput:
        logits = torch.full((len(batch.ids), self.width), -9.0)
        logits[:, self.label if batch.objects is not None else 0] = 9.0
        objects = None
        if batch.objects is not None:
            objects = torch.zeros(batch.objects.present.shape)
            objects[:, :2] = torch.tensor([1.0, 3.0])
        return PairOutput(logits, objects=objects)


def test_an_edge_that_only_the_picture_supports_is_known(parser: Parser, tmp_path: Path, picture: str) -> None:
    reader = composed(parser, tmp_path, "mega")
    pairs = classifier(reader)
    pairs.network = Sees(pairs.network, 1 + pairs.manifest.inventory.relation_keys.index("/per/loc/place_of_birth"))
    [read] = reader.read([Document("1", TEXT, images=(picture,), regions=REGIONS)])
    assert stated(read)
    for one in stated(read):
        assert one.score > 0.9 and one.without_image is not None and one.without_image < 0.01
        assert [(part.reference, part.weight) for part in one.evidence] == [
            ({"region": 1}, 0.75),
            ({"region": 0}, 0.25),
        ]


def test_missing_picture_inputs_are_named(parser: Parser, tmp_path: Path, picture: str) -> None:
    reader = asking(parser, tmp_path, "focalmre")
    missing = {
        name: reader.read([document])[0].missing
        for name, document in {
            "nothing shown": Document("1", TEXT),
            "no detector": Document("1", TEXT, images=(picture,)),
            "copy gone": Document("1", TEXT, images=("",), regions=REGIONS),
            "all there": Document("1", TEXT, images=(picture,), regions=REGIONS),
        }.items()
    }
    assert missing == {"nothing shown": (), "no detector": ("detector",), "copy gone": ("image",), "all there": ()}


def test_names_and_nouns_are_grounded_for_focal_frames(parser: Parser, tmp_path: Path, picture: str) -> None:
    reader = asking(parser, tmp_path, "focalmre")
    given: dict[str, set[tuple[str, ...]]] = {}
    pairs = classifier(reader)
    make = pairs.rows.batch

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(rows, name)

        def batch(self, asked: Any) -> Any:
            for row in asked:
                words = texts[-1]
                if row.regions:
                    given.setdefault(words, set()).add(tuple(one.label for one in row.grounded))
            return make(asked)

    rows = pairs.rows
    pairs.rows = Watched()  # type: ignore[assignment]
    texts = ["Anna saw Berlin and a dog.", "Berlin saw Bonn and a dog, and Anna left."]
    for text in list(texts):
        texts.append(text)
        reader.read([Document("1", text, images=(picture,), regions=REGIONS)])
    assert given[texts[0]] == {("person", "dog")}, "the entity of the pair first, then the noun"
    assert ("dog",) in given[texts[1]], "a pair of two others has no frame of Anna's"
    assert ("person", "dog") in given[texts[1]]
