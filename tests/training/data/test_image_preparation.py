"""`manage.py prepare_images`: a data set's pictures analysed as those of posts, kept by content, taken by recipes."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from extraction.datasets.prepared_images import PreparedImages
from extraction.datasets.registry import DatasetError, load
from extraction.images import detectors_from_settings
from extraction.schema import Candidate, Example, Region, WordSpan
from extraction.vision.image_analysis import ImageAnalyser
from tests.extraction.vision.test_image_analysis import Fake
from tests.generated import Chain, config
from tests.tiny import tokenizer
from training.data.image_preparation import prepare_pictures, sources_of
from training.data.images import digest_of, with_prepared
from training.data.preparation import prepare
from training.evaluation.perturbation import disturbed_regions, shuffled_images
from training.heads import head_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "datasets" / "mnre"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNRE's fixture with one of its two pictures, and a detector that finds a person and a dog in any picture."""
    shutil.copytree(FIXTURES, tmp_path / "mnre")
    (tmp_path / "mnre" / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (240, 360, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mnre" / "images" / "pier.jpg")
    detector = Fake()
    monkeypatch.setattr(detectors_from_settings, "load", lambda: ImageAnalyser(detector))
    monkeypatch.setattr(Fake, "asked_by_test", detector.asked, raising=False)
    return tmp_path


def prepared(root: Path) -> PreparedImages:
    folder = root / "mnre" / "prepared"
    return PreparedImages.load(folder / (folder / "latest").read_text().strip())


def test_a_recipe_takes_what_was_found_and_nothing_is_done_twice(root: Path, capsys: pytest.CaptureFixture) -> None:
    call_command("prepare_images", "mnre", data_root=str(root))
    out = capsys.readouterr().out
    assert "pictures were not found" in out and "2 of 3 pictures" not in out
    assert sum(Fake.asked_by_test) == 1  # type: ignore[attr-defined]
    call_command("prepare_images", "mnre", data_root=str(root))
    assert sum(Fake.asked_by_test) == 1, "by content and version"  # type: ignore[attr-defined]
    chosen = config("mega", "pair", prepared="latest")
    given = prepare(chosen, head_of("mega", "pair"), root, Chain(), lambda _: tokenizer())
    known = given.vocabularies
    assert set(known.classes) == {"person", "dog"}
    assert known.inputs.regions == "fake-1:10" and known.inputs.scene == "rules-2"
    assert (known.inputs.depth, known.inputs.width, known.inputs.scores) == ("estimate-1", 2 + 144, True)
    shown = next(one for one in given.examples if one.image == "pier.jpg")
    assert [region.label for region in shown.regions] == ["person", "dog"] and shown.scene
    assert all(region.features is not None for region in shown.regions)
    gone = [one for one in given.examples if one.image != "pier.jpg"]
    assert all(one.regions == () for one in gone)
    assert digest_of("latest", ("mnre",), root) == prepared(root).folder.name


def test_names_are_grounded_by_predicted_types_and_never_by_the_labels(root: Path) -> None:
    call_command("prepare_images", "mnre", data_root=str(root))
    kept = prepared(root)
    assert kept.grounded and kept.sources.grounding == "classes-1"
    examples = with_prepared(load("mnre", "train", root, "native"), "latest", root)
    pier = next(one for one in examples if one.image == "pier.jpg")
    places = {place for one in pier.grounded for place in range(one.start, one.end)}
    named = {place for one in pier.mentions for place in range(one.start, one.end)}
    assert not places & named, "Bergen and Norway are no persons, whatever a label says"


def test_an_interrupted_preparation_goes_on(root: Path) -> None:
    call_command("prepare_images", "mnre", data_root=str(root))
    kept = prepared(root)
    lines = (kept.folder / "pictures.jsonl").read_text()
    (kept.folder / "pictures.jsonl").write_text(lines[: len(lines) // 2])
    assert not PreparedImages.load(kept.folder).pictures
    call_command("prepare_images", "mnre", data_root=str(root))
    assert (kept.folder / "pictures.jsonl").read_text() == lines


def test_boxes_that_a_data_set_asks_about_stay_and_are_described(root: Path) -> None:
    drawn = (Region((0.1, 0.1, 0.3, 0.79)), Region((0.8, 0.1, 0.1, 0.1)))
    candidates = tuple(Candidate(0, place, "depicts", region=True) for place in range(2))
    example = Example(
        "1", "mnre", ("a",), (WordSpan(0, 1, "PER"),), image="pier.jpg", regions=drawn, candidates=candidates
    )
    analyser = ImageAnalyser(Fake())
    kept = PreparedImages.begin(root / "mnre", sources_of(analyser, None))
    assert prepare_pictures([example], [root / "mnre" / "images"], kept, analyser, lambda line: None) == 0
    shown = PreparedImages.load(kept.folder).shown(example)
    assert [region.box for region in shown.regions[:2]] == [region.box for region in drawn]
    assert [region.label for region in shown.regions] == ["person", "", "dog"], "as detected, unknown, beside them"
    widths = {len(region.features) for region in shown.regions if region.features is not None}
    assert widths == {2 + 144} and all(region.features is not None for region in shown.regions)
    assert shown.sources.detector == "" and shown.sources.depth == "estimate-1"


def test_perturbed_pictures_take_their_scenes_along(root: Path) -> None:
    call_command("prepare_images", "mnre", data_root=str(root))
    pier = next(one for one in with_prepared(load("mnre", "train", root, "native"), "latest", root) if one.regions)
    other = dataclasses.replace(pier, image="b.jpg", regions=(Region((0, 0, 1, 1)),), scene=())
    turned = shuffled_images([pier, other], 1.0)
    assert (turned[1].regions, turned[1].scene) == (pier.regions, pier.scene) and turned[0].scene == ()
    for seed in range(4):
        [moved] = disturbed_regions([pier], 0.5, seed)
        assert moved.scene == (), "an edge of a region that moved says nothing"


def test_what_is_not_there_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match=r"run manage\.py prepare_images"):
        with_prepared(load("mnre", "train", root, "native"), "latest", root)
    shutil.rmtree(root / "mnre" / "images")
    with pytest.raises(CommandError, match="name their folder with --images"):
        call_command("prepare_images", "mnre", data_root=str(root))
    (root / "mnre" / "images").mkdir()
    monkeypatch.setattr(detectors_from_settings, "load", lambda: None)
    with pytest.raises(CommandError, match="DETECTOR_WEIGHTS is empty"):
        call_command("prepare_images", "mnre", data_root=str(root))
