"""The reported inputs of every system, with and without its vision encoder and its facts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.extraction.reader.test_pair_classifier import pair_checkpoint
from tests.generated import CASES, SMALL
from training.data.images import inputs

RANDOM = "a vision encoder with random initial weights"
OBJECTS = ["text", "boxes", "classes of regions", "depth of regions"]
WHOLE = {
    "mtb": ["text"],
    "mega": OBJECTS,
    "eega": OBJECTS,
    "focalmre": ["text", "boxes", "grounded regions", "pictures", RANDOM],
    "rsrnet": [*OBJECTS, "pictures", RANDOM],
    "relformer": [*OBJECTS, "pictures", "facts", RANDOM],
}


@pytest.mark.parametrize(("system", "head"), CASES)
def test_the_reported_inputs_of_every_system_are_those_of_its_network(system: str, head: str, tmp_path: Path) -> None:
    checkpoint = pair_checkpoint(tmp_path, system, head)
    assert inputs(checkpoint) == WHOLE[system]
    canvas = "boxes on a grey canvas in place of pictures"
    canvases = dataclasses.replace(checkpoint.manifest.given, shown="canvas")
    blank = dataclasses.replace(checkpoint, manifest=dataclasses.replace(checkpoint.manifest, inputs=canvases))
    assert inputs(blank) == [canvas if one == "pictures" else one for one in WHOLE[system]]


@pytest.mark.parametrize(
    ("system", "head", "network", "shown"),
    [
        ("rsrnet", "tags", {}, ["text"]),  # the recipes of Twitter
        ("rsrnet", "pair", {}, ["text"]),
        ("mega", "pair", {"image": False}, ["text"]),
        ("eega", "word_pairs", {"objects": 0}, ["text"]),
        ("relformer", "region_pair", {}, [*OBJECTS, "facts"]),
        ("relformer", "region_pair", {"objects": False, "knowledge": False}, ["text"]),
        ("relformer", "pair", {"knowledge": False}, OBJECTS),
    ],
)
def test_a_network_without_a_vision_encoder_reports_no_pictures(
    system: str, head: str, network: dict[str, Any], shown: list[str], tmp_path: Path
) -> None:
    checkpoint = pair_checkpoint(tmp_path, system, head, network={**SMALL[system], **network}, vision={})
    assert inputs(checkpoint) == shown
