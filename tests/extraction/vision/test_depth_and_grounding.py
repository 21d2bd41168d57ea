"""How near things are, and which region shows what a text names, without and with networks of transformers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from extraction.schema import Region
from extraction.vision import depth, grounding
from extraction.vision.grounding import Phrase

TALL = Region((0.1, 0.2, 0.3, 0.8), "person", 0.9)
SMALL = Region((0.6, 0.3, 0.05, 0.2), "person", 0.8)


def test_a_thing_that_looks_large_and_stands_low_is_near() -> None:
    near, far = depth.of_regions(depth.from_boxes([TALL, SMALL]), [TALL, SMALL])
    assert near.median > far.median + 0.3
    giraffe, dog = (Region((0.4, 0.4, 0.2, 0.4), kind) for kind in ("giraffe", "dog"))
    [one], [other] = (depth.of_regions(depth.from_boxes([TALL, r]), [r]) for r in (giraffe, dog))
    assert one.median < other.median, "a giraffe that looks as high as a dog stands farther away"


def test_a_map_is_smooth_and_in_0_to_1() -> None:
    found = depth.from_boxes([TALL, SMALL])
    assert found.shape == (64, 64)
    assert (found.min(), found.max()) == (0.0, 1.0)
    speckled = np.zeros((32, 32))
    speckled[16, 16] = 1.0
    ramp = np.repeat(np.linspace(0, 1, 32)[:, None], 32, axis=1)
    assert np.abs(depth.smoothed(ramp + speckled) - depth.smoothed(ramp)).max() < 0.12
    assert not depth.smoothed(np.full((8, 8), 3.0)).any()
    assert np.isfinite(depth.smoothed(np.array([[np.nan, 1.0], [2.0, np.inf]]))).all()
    with pytest.raises(ValueError, match="two dimensions"):
        depth.smoothed(np.zeros(3))


def test_statistics_are_those_of_the_box() -> None:
    found = np.zeros((10, 10))
    found[:5] = 1.0
    [upper, both] = depth.of_regions(found, [Region((0, 0, 1, 0.5)), Region((0, 0, 1, 1))])
    assert (upper.mean, upper.median, upper.spread) == (1, 1, 0)
    assert (both.mean, both.lowest, both.highest, both.spread) == (0.5, 0, 1, 0.5)


def test_a_depth_network_is_read_from_a_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    with pytest.raises(depth.DepthMissing, match=str(tmp_path)):
        depth.TransformersDepth.load(tmp_path)
    size = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.DPTConfig(
        **size, image_size=32, patch_size=16, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8] * 4,
        fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    transformers.DPTForDepthEstimation(config).save_pretrained(tmp_path)
    transformers.DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    made = depth.TransformersDepth.load(tmp_path)
    maps = made.maps([np.zeros((40, 60, 3), np.uint8)] * 2)
    assert len(maps) == 2 and maps[0].ndim == 2
    assert depth.scaled(maps[0]).shape == (64, 64)
    assert made.version == f"dpt-{tmp_path.name}"


WORDS = ("Angela", "Merkel", "rode", "her", "bike", "past", "two", "dogs", "in", "Berlin")
TAGS = ("PROPN", "PROPN", "VERB", "PRON", "NOUN", "ADP", "NUM", "NOUN", "ADP", "PROPN")
NAMES = ((0, 2, "person"), (9, 10, "location"))


def test_phrases_are_names_and_the_nouns_beside_them() -> None:
    assert grounding.phrases(WORDS, TAGS, NAMES) == (
        Phrase("Angela Merkel", "Merkel", "person", 0, 2),
        Phrase("bike", "bike", "", 4, 5),
        Phrase("dogs", "dogs", "", 7, 8),
        Phrase("Berlin", "Berlin", "location", 9, 10),
    )


def test_nouns_and_persons_are_matched_with_what_was_detected() -> None:
    regions = (
        Region((0, 0, 0.2, 0.9), "person", 0.9),
        Region((0, 0.4, 0.3, 0.5), "bicycle", 0.6),
        Region((0.5, 0.7, 0.1, 0.1), "dog", 0.7),
        Region((0.8, 0, 0.1, 0.1), "car", 0.99),
    )
    found = grounding.by_class(grounding.phrases(WORDS, TAGS, NAMES), regions)
    assert [(one.phrase, one.index) for one in found] == [(0, 0), (2, 2), (1, 1)]
    assert all(one.region.grounded for one in found)
    grounded = grounding.ground(WORDS, TAGS, NAMES, regions)
    assert [one.region for one in grounded] == [one.region for one in found]
    assert all(0 <= one.start < one.end <= len(WORDS) for one in grounded)


def test_who_of_several_is_named_is_less_sure() -> None:
    crowd = [Region((0.1 * place, 0, 0.1, 0.9), "person", 0.8) for place in range(4)]
    names = (Phrase("Ada Lovelace", "Lovelace", "person"), Phrase("Charles Babbage", "Babbage", "person"))
    found = grounding.by_class(names, crowd)
    assert [one.score for one in found] == [pytest.approx(0.2)] * 2
    assert {one.phrase for one in found} == {0, 1} and len({one.index for one in found}) == 2


def test_towns_and_companies_are_not_guessed() -> None:
    assert grounding.by_class([Phrase("Apple", "Apple", "organization")], [Region((0, 0, 1, 1), "apple")]) == []


def test_a_zero_shot_detector_searches_for_the_phrases() -> None:
    torch: Any = pytest.importorskip("torch")
    asked: dict[str, Any] = {}

    class Processor:
        def __call__(self, images: np.ndarray, text: list[list[str]], return_tensors: str) -> Any:
            asked["text"] = text
            return SimpleNamespace(to=lambda device: {})

        def post_process_grounded_object_detection(self, output: Any, **options: Any) -> list[dict[str, Any]]:
            asked["sizes"] = options["target_sizes"]
            boxes, scores = torch.tensor([[100.0, 0.0, 250.0, 50.0]]), torch.tensor([0.7])
            return [{"boxes": boxes, "scores": scores, "text_labels": ["bike"]}]

    class Model(torch.nn.Module):
        def forward(self) -> None:
            return None

    made = grounding.ZeroShot(Model(), Processor(), "test")
    known = [Region((0.5, 0.0, 0.5, 0.5), "bicycle", 0.5)]
    picture = np.zeros((100, 200, 3), np.uint8)
    [found] = grounding.with_grounder(made, picture, grounding.phrases(WORDS, TAGS, NAMES), known)
    assert asked == {"text": [["Angela Merkel", "bike", "dogs", "Berlin"]], "sizes": [(100, 200)]}
    assert (found.phrase, found.index, found.region.box) == (1, 0, (0.5, 0.0, 0.5, 0.5))
    assert made.find(picture, []) == []
