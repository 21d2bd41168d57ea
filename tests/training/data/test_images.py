"""The reported inputs of every system, with and without its vision encoder and its facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.extraction.reader.test_pair_classifier import pair_checkpoint
from tests.generated import CASES, SMALL
from training.data.images import inputs

RANDOM = "a vision encoder with random initial weights"
SEEN = ["text", "boxes", "pictures", RANDOM]
WHOLE = {
    "mtb": ["text"],
    "mega": ["text", "boxes"],
    "eega": ["text", "boxes"],
    "focalmre": SEEN,
    "rsrnet": SEEN,
    "relformer": ["text", "boxes", "pictures", "facts", RANDOM],
}


@pytest.mark.parametrize(("system", "head"), CASES)
def test_the_reported_inputs_of_every_system_are_those_of_its_network(system: str, head: str, tmp_path: Path) -> None:
    checkpoint = pair_checkpoint(tmp_path, system, head)
    assert inputs(checkpoint, pictures=True) == WHOLE[system]
    canvas = "boxes on a grey canvas in place of pictures"
    assert inputs(checkpoint, False) == [canvas if one == "pictures" else one for one in WHOLE[system]]


@pytest.mark.parametrize(
    ("system", "head", "network", "shown"),
    [
        ("rsrnet", "tags", {}, ["text"]),  # the recipes of Twitter
        ("rsrnet", "pair", {}, ["text"]),
        ("mega", "pair", {"image": False}, ["text"]),
        ("eega", "word_pairs", {"objects": 0}, ["text"]),
        ("relformer", "region_pair", {}, ["text", "boxes", "facts"]),
        ("relformer", "region_pair", {"objects": False, "knowledge": False}, ["text"]),
        ("relformer", "pair", {"knowledge": False}, ["text", "boxes"]),
    ],
)
def test_a_network_without_a_vision_encoder_reports_no_pictures(
    system: str, head: str, network: dict[str, Any], shown: list[str], tmp_path: Path
) -> None:
    checkpoint = pair_checkpoint(tmp_path, system, head, network={**SMALL[system], **network}, vision={})
    assert inputs(checkpoint, pictures=True) == inputs(checkpoint, pictures=False) == shown
