"""What an evaluation of the training pages measures, and which inputs it reports for a system."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from extraction.datasets import registry as datasets_registry
from extraction.networks.focalmre import FocalMRE
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.readings import model_registry
from extraction.schema import Example
from extraction.text.parser import Parser
from tests.extraction.reader.test_pair_classifier import pair_checkpoint
from tests.generated import Chain, eight
from training import run as training_run
from training.data.preparation import prepare_for
from training.evaluation.evaluation import evaluate_on
from training.heads import HEADS
from training.jobs import work
from training.models import Dataset, Evaluation
from training.scores import Calibrated, Examined


def measured(
    checkpoint: LoadedCheckpoint, root: Path, patch: pytest.MonkeyPatch, examples: list[Example], **options: Any
) -> Examined:
    patch.setattr(datasets_registry, "load", lambda *asked: examples)
    return evaluate_on(
        checkpoint, HEADS[checkpoint.manifest.head], "mnre", "test", root, Chain(), lambda line: None, **options
    )


def with_least(checkpoint: LoadedCheckpoint, least: float) -> LoadedCheckpoint:
    manifest = dataclasses.replace(checkpoint.manifest, metrics={"dev": {"best_f1_threshold": least}})
    return dataclasses.replace(checkpoint, manifest=manifest)


def test_the_most_probable_label_stands_beside_the_one_from_a_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = pair_checkpoint(tmp_path, "mtb", "pair")
    alone = measured(plain, tmp_path, monkeypatch, eight())
    assert [one["name"] for one in alone.figures] == ["relations"]
    both = measured(with_least(plain, 0.0), tmp_path, monkeypatch, eight())
    assert [one["name"] for one in both.figures] == ["relations", "relations, most probable label"]
    assert both.figures[0]["found"] == 8  # from a probability of nothing every pair is related
    assert both.figures[1] == {**alone.figures[0], "name": both.figures[1]["name"], "accuracy": alone.accuracy}
    prepared = prepare_for(plain, HEADS["pair"], eight(), Chain())
    judged = prepared.score(plain.network, Calibrated(best=0.0)).figures
    assert (both.figures[1]["f1"], both.figures[1]["accuracy"]) == (judged["argmax_f1"], judged["argmax_accuracy"])
    assert (both.figures[0]["f1"], both.accuracy) == (judged["f1"], judged["accuracy"])


RED = (200, 10, 10)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plain whole pictures that FocalMRE is shown, one after the other."""
    found: list[Any] = []
    forward = FocalMRE.forward

    def watched(network: FocalMRE, batch: Any) -> Any:
        if batch.pictures is not None:
            found.extend(batch.pictures.pixels[:, 0])
        return forward(network, batch)

    monkeypatch.setattr(FocalMRE, "forward", watched)
    return found


def with_pictures(root: Path, names: list[str]) -> Path:
    """A data set's root, with red pictures of these names beside it."""
    folder = root / "mnre" / "images"
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (48, 48), RED).save(folder / name, format="PNG")
    return root


def reds(seen: list[Any]) -> int:
    return sum(picture[:, 0, 0].tolist() == list(RED) for picture in seen)


@pytest.mark.django_db
def test_an_evaluation_sees_the_data_sets_own_pictures_when_those_of_the_run_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[Any]
) -> None:
    gone = str(tmp_path / "run" / "data" / "mnre" / "images")
    pair_checkpoint(tmp_path / "run", "focalmre", "pair", images=gone)
    root = with_pictures(tmp_path / "set", [f"{number}.jpg" for number in range(8)])
    dataset = Dataset.objects.create(name="set", format="mnre", root=str(root), state="done", counts={})
    row = Evaluation.objects.create(checkpoint=model_registry.register(tmp_path / "run"), dataset=dataset, split="test")
    monkeypatch.setattr(datasets_registry, "load", lambda *asked: eight())
    work.perform_evaluation(row)
    row.refresh_from_db()
    assert reds(seen) == len(seen) == 8
    assert "pictures" in row.inputs and row.metrics["note"] == ""


def test_missing_pictures_are_counted_and_replaced_by_boxes_where_all_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[Any]
) -> None:
    checkpoint = pair_checkpoint(tmp_path / "run", "focalmre", "pair", images="gone")
    root = with_pictures(tmp_path / "some", ["0.jpg", "1.jpg"])
    (root / "mnre" / "images" / "2.jpg").write_text("no picture")
    some = measured(checkpoint, root, monkeypatch, eight())
    assert reds(seen) == 2 and some.note.startswith("6 of 8 pictures were not found in ")
    none = measured(checkpoint, tmp_path / "none", monkeypatch, eight())
    assert reds(seen) == 2 and "none were found with this data set" in none.note
    assert "pictures" in some.inputs and "pictures" not in none.inputs
    blind = pair_checkpoint(tmp_path / "blind", "focalmre", "pair")
    assert measured(blind, root, monkeypatch, eight()).note == "" and reds(seen) == 2


def test_the_command_uses_the_named_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    pair_checkpoint(tmp_path / "run", "focalmre", "pair", images="gone")
    pair_checkpoint(tmp_path / "words", "mtb", "pair")
    images = str(with_pictures(tmp_path / "set", [f"{number}.jpg" for number in range(7)]) / "mnre" / "images")
    monkeypatch.setattr(datasets_registry, "load", lambda *asked: eight())

    def evaluate(folder: str = "run", **options: Any) -> str:
        seen.clear()
        call_command("evaluate", str(tmp_path / folder), data_root=str(tmp_path / "elsewhere"), **options)
        return capsys.readouterr().out

    assert "1 of 8 pictures were not found" in evaluate(images=images) and reds(seen) == 7
    rest = str(with_pictures(tmp_path / "rest", ["7.jpg"]) / "mnre" / "images")
    assert "not found" not in evaluate(images=f"{images}:{rest}") and reds(seen) == 8
    assert "not found" not in evaluate(images="") and reds(seen) == 0
    with pytest.raises(CommandError, match="name their folder with --images"):
        evaluate()
    with pytest.raises(CommandError, match="There is no folder of pictures typo"):
        evaluate(images="typo")
    with pytest.raises(CommandError, match="is not shown pictures"):
        evaluate("words", images=images)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which splits the command has asked for; any is of the same examples, parsed without a parser."""
    splits: list[str] = []

    def load(name: str, split: str, *rest: Any) -> list[Example]:
        splits.append(split)
        return eight()

    monkeypatch.setattr(datasets_registry, "load", load)
    monkeypatch.setattr(training_run, "parser_for", lambda system, given: Chain())
    monkeypatch.setattr(Parser, "load", lambda *path: Chain())
    return splits


def test_a_joint_system_is_evaluated_on_the_requested_split(
    tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = with_least(pair_checkpoint(tmp_path / "made", "eega", "word_pairs"), 0.5).save(tmp_path / "eega")
    call_command("evaluate", str(folder), data_root=str(tmp_path), split="dev", by_relation=True)
    assert asked == ["dev", "dev"] and "| dev part |" in capsys.readouterr().out
    for options, sentence in (
        ({"confusion": True}, "found mentions have no such table"),
        ({"images": str(tmp_path)}, "is not shown pictures"),
        ({"titles": True, "shuffle_images": 0.5}, "--titles takes no --shuffle-images"),
        ({"seeds": ["a", "b"], "against": "other.json"}, "--seeds takes no --against"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("evaluate", str(folder), data_root=str(tmp_path), **options)


def test_quintuples_of_two_checkpoints_are_made_harder_and_compared_as_others_are(
    tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    tagger, pairs = tmp_path / "tagger", tmp_path / "pairs"
    pair_checkpoint(tagger, "rsrnet", "tags")
    pair_checkpoint(pairs, "mega", "pair")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"checkpoint": "rival", "counts": [[0, 1, len(one.relations)] for one in eight()]}))
    both: dict[str, Any] = {"mentions": str(tagger), "data": "mnre", "data_root": str(tmp_path)}
    call_command("evaluate", str(pairs), shuffle_images=1.0, disturb_regions=1.0, against=str(other), **both)
    output = capsys.readouterr().out
    assert "8 of 8 examples have another's picture" in output and "examples have regions that are wrong" in output
    assert "against rival" in output
    with pytest.raises(CommandError, match="found mentions have no such table"):
        call_command("evaluate", str(pairs), confusion=True, **both)
