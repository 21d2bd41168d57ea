"""Held-out examples made harder; evaluation of any system from the command line; benches of systems and switches."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from extraction.features.featurizer import SHAPES
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.networks.encoders.vit import tiny_vit
from extraction.networks.systems import SYSTEMS
from extraction.schema import Candidate, Example, Region
from kgbuilder.benchmarks import NotMeasured, ablations, systems
from tests.tiny import tokenizer
from training.evaluation.ablations import ABLATIONS, FULL, PREPARED
from training.evaluation.perturbation import changed, disturbed_regions, shuffled_images
from training.recipes import ABOUT, DEPARTURES, PAPER, RECIPES

FIXTURES = Path(__file__).parents[2] / "fixtures" / "datasets"


def examples(count: int = 40) -> list[Example]:
    return [
        Example(str(n), "mnre", ("a",), regions=(Region((n / 100, 0.0, 0.1, 0.1)),) * 2, image=f"{n}.jpg")
        for n in range(count)
    ]


def test_a_share_of_the_examples_gets_anothers_picture_and_boxes():
    plain, turned = examples(), shuffled_images(examples(), 0.5, seed=3)
    other = [n for n, one in enumerate(turned) if one.image != plain[n].image]
    assert len(other) == 20 and sorted(one.image for one in turned) == sorted(one.image for one in plain)
    assert all(turned[n].regions == plain[int(turned[n].image[:-4])].regions for n in other)
    assert turned == shuffled_images(examples(), 0.5, seed=3) != shuffled_images(examples(), 0.5, seed=4)
    assert shuffled_images(plain, 0.0) == plain
    with pytest.raises(ValueError, match="between 0 and 1"):
        shuffled_images(plain, 5)


def test_pictures_are_shuffled_among_examples_that_ask_about_none_of_their_regions():
    plain = examples(10)
    mixed = [dataclasses.replace(one, candidates=(Candidate(0, 1, "", n < 6),)) for n, one in enumerate(plain)]
    turned = shuffled_images(mixed, 1.0)
    assert turned[:6] == mixed[:6] and changed(mixed, turned) == 4
    with pytest.raises(ValueError, match="ask about regions of their own"):
        shuffled_images(mixed[:6], 1.0)
    with pytest.raises(ValueError, match="No picture was changed"):
        shuffled_images(mixed, 0.25)


def test_a_share_of_the_regions_is_moved_or_left_out():
    plain, wrong = examples(), disturbed_regions(examples(), 0.5, seed=1)
    kept = sum(region in plain[n].regions for n, one in enumerate(wrong) for region in one.regions)
    assert kept == 40 and 40 < sum(len(one.regions) for one in wrong) < 80
    assert disturbed_regions(plain, 0.0) == plain


def test_a_region_that_is_asked_about_stays():
    asked = [dataclasses.replace(one, candidates=(Candidate(0, 1, "", True),)) for one in examples(8)]
    wrong = disturbed_regions(asked, 1.0)
    assert all(one.regions[1] == asked[n].regions[1] and len(one.regions) == 2 for n, one in enumerate(wrong))
    assert all(one.regions[0] != asked[n].regions[0] for n, one in enumerate(wrong))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> str:
    """The folder of a tiny encoder, as a hub's would be."""
    folder = tmp_path_factory.mktemp("encoder")
    tokens = tokenizer()
    tokens.save(str(folder / "tokenizer.json"))
    model: Any = TextEncoder.blank(tiny(tokens.get_vocab_size()), len(SHAPES)).model
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, encoder) -> Path:
    """MTB trained for a moment on the fixture's handful of samples, which stand for all three parts."""
    folder = tmp_path_factory.mktemp("mnre")
    (folder / "mnre").mkdir()
    for name in ("train", "val", "test"):
        shutil.copy(FIXTURES / "mnre" / "mnre_train.txt", folder / "mnre" / f"mnre_{name}.txt")
    lines = (FIXTURES / "mnre" / "mnre_train.txt").read_text(encoding="utf-8")
    (folder / "mnre" / "mnre_train.txt").write_text(lines.replace("'token': ['", "'token': ['More', '"), "utf-8")
    call_command(
        "train", "mtb", data_root=str(folder), out=str(folder / "out"), epochs=1, set=json.dumps({"encoder": encoder})
    )
    return folder


def test_a_pair_system_is_trained_and_evaluated_by_commands(trained, capsys):
    metrics = json.loads((trained / "out" / "metrics.json").read_text())
    assert metrics["config"]["system"] == "mtb" and set(metrics["test"]["figures"]) >= {"f1", "accuracy"}
    same = str(trained / "out" / "predictions-test.json")
    call_command(
        "evaluate", str(trained / "out"), data_root=str(trained), against=same, confusion=True, shuffle_images=1
    )
    out = capsys.readouterr().out
    assert "2 of 3 examples have another's picture" in out
    assert "accuracy" in out and "F1 +0.0 against out" in out and "paired bootstrap" in out
    with pytest.raises(CommandError, match="holds no predictions"):
        call_command("evaluate", str(trained / "out"), data_root=str(trained), against=str(trained / "nothing"))
    other = trained / "by another rule.json"
    other.write_text(json.dumps({**json.loads(Path(same).read_text()), "rule": "another"}))
    with pytest.raises(CommandError, match="counts pairs by another rule"):
        call_command("evaluate", str(trained / "out"), data_root=str(trained), against=str(other))
    with pytest.raises(CommandError, match="between 0 and 1"):
        call_command("evaluate", str(trained / "out"), data_root=str(trained), shuffle_images=7)


def test_a_run_with_pictures_needs_their_folder_and_reports_how_many_are_missing(trained, encoder, capsys):
    images = trained / "images"
    images.mkdir()
    Image.new("RGB", (8, 8)).save(images / "pier.jpg")
    vision = {"architecture": tiny_vit(32)}
    settings = {"encoder": encoder, "vision": vision, "network": {"size": 32}}
    options: dict[str, Any] = {"data_root": str(trained), "out": str(trained / "seeing"), "epochs": 1}
    with pytest.raises(CommandError, match="There is no folder of pictures typo"):
        call_command("train", "focalmre", set=json.dumps(settings), images="typo", **options)
    call_command("train", "focalmre", set=json.dumps(settings), images=str(images), **options)
    card = (trained / "seeing" / "README.md").read_text()
    assert f"1 of 2 pictures were not found in {images}" in card and "text, boxes, pictures" in card
    assert card.count("not found") == 1 and "1 of 2 pictures" in capsys.readouterr().out


def test_seeds_are_reported_as_mean_and_spread(trained, tmp_path, capsys):
    metrics = json.loads((trained / "out" / "metrics.json").read_text())
    for seed, f1 in ((1, 0.6), (2, 0.7)):
        metrics["config"]["seed"], metrics["test"]["figures"]["f1"] = seed, f1
        (tmp_path / str(seed)).mkdir()
        (tmp_path / str(seed) / "metrics.json").write_text(json.dumps(metrics))
    folders = [str(tmp_path / "1"), str(tmp_path / "2")]
    call_command("evaluate", seeds=folders)
    assert "f1 65.0% (7.1), 60.0% to 70.0%" in capsys.readouterr().out
    metrics["config"]["batch"] = 99
    (tmp_path / "2" / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(CommandError, match="more than their seed"):
        call_command("evaluate", seeds=folders)


def test_a_finished_run_in_another_systems_recipe_is_refused(trained):
    with pytest.raises(CommandError, match="is one of mega"):
        call_command("train", "mtb", recipe="mega", data_root=str(trained), out=str(trained / "other"))


@pytest.mark.parametrize("system", sorted(ABLATIONS))
def test_every_switch_is_a_setting_of_its_network(system):
    recipe, rows = ABLATIONS[system]
    known = {field.name for field in dataclasses.fields(SYSTEMS[system].config)}
    assert RECIPES[recipe].system == system
    assert all(set(row.network) <= known for row in rows)
    assert len({row.name for row in rows}) == len(rows)
    whole, *others = [_effective(recipe, row) for row in rows]
    assert rows[0].name == FULL and not (rows[0].network or rows[0].config)
    assert all(one != whole for one in others), "a row that is the whole system measures nothing"


def _effective(recipe: str, row: Any) -> tuple[Any, ...]:
    config = dataclasses.replace(RECIPES[recipe], **row.config)
    network: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(SYSTEMS[config.system].config)}
    return network | config.network | row.network, config.encoder, config.vision


def test_a_row_shows_what_a_switch_costs_here_and_in_the_paper():
    _, rows = ABLATIONS["mega"]
    assert rows[0].name == FULL
    line = ablations.line("mega", rows[1], {1: 0.60, 2: 0.62}, {1: 0.63, 2: 0.63, 3: 0.9}, rows[0].published)
    assert line == "| mega | no structural alignment (BERT+SG+Att) | 61.0 (1.4) | 1, 2 | -2.0 | 63.64 | -2.77 |"


@pytest.fixture
def ablated(tmp_path, monkeypatch):
    """A run of one of MEGA's rows is put into a folder by the first; the second is the table of all there is, where
    our recipe's runs are kept with the results."""
    asked = {"system": ["mega"], "only": None, "data_root": "", "out": tmp_path, "trained": True, "seeds": 3}
    asked |= {"device": "auto", "epochs": None, "limit": None}

    def run(row, seed, figures):
        config = dataclasses.replace(ablations._config("mega", row, seed, asked), threads=1, device="cpu")
        return {"seed": seed, "config": config.as_dict(), "test": figures}

    def done(name, seed, **figures):
        row = next(one for one in ABLATIONS["mega"][1] if one.name == name)
        folder = ablations.folder_of(tmp_path, "mega", row, seed)
        folder.mkdir()
        metrics = run(row, seed, figures)
        (folder / "metrics.json").write_text(json.dumps({**metrics, "test": {"figures": figures}}))

    def table(**options):
        lines: list[str] = []
        ablations.run({**asked, **options}, lines.append, lines.append)
        return lines[2:]

    recipe = ABLATIONS["mega"][1][0]
    kept = [run(recipe, 1, {"f1": 0.9, "argmax_f1": 0.60}), run(recipe, 2, {"f1": 0.9, "argmax_f1": 0.64})]
    monkeypatch.setattr(ablations, "load", lambda: [{"seed": 1, "system": "eega"}, *kept])
    return done, table


def test_ablations_that_are_done_are_not_trained_again(ablated):
    done, table = ablated
    done("the paper's dropout", 2, f1=0.9, argmax_f1=0.61)
    done("top 2 objects of a word", 1, f1=0.62)
    assert table() == [
        "| mega | our recipe | 62.0 (2.8) | 1, 2 |  | 66.41 |  |",
        "| mega | top 2 objects of a word | 62.0 | 1 | +2.0 |  |  |",
        f"| mega | top 5 objects of a word | not run: needs {PREPARED} | | | 64.33 | |",
        f"| mega | top 10 objects of a word | not run: needs {PREPARED} | | | 63.75 | |",
        "| mega | the paper's dropout | 61.0 | 2 | -3.0 |  |  |",
    ]
    assert table(only="top 2", seeds=1) == [
        "| mega | our recipe | 60.0 | 1 |  | 66.41 |  |",
        "| mega | top 2 objects of a word | 62.0 | 1 | +2.0 |  |  |",
    ]


def test_a_run_with_other_settings_is_not_taken_for_an_ablation(ablated):
    done, table = ablated
    done("top 2 objects of a word", 1, f1=0.62)
    with pytest.raises(NotMeasured, match="other settings"):
        table(epochs=1)
    with pytest.raises(NotMeasured, match="data-root"):
        table(trained=False)


def test_a_papers_settings_say_what_is_not_the_papers():
    assert set(DEPARTURES) == set(PAPER)
    for name, paper in PAPER.items():
        ours = (paper.clip, paper.shapes, paper.dropout, paper.dropped_pairs)
        assert ours == (0.0, False, "stock", 0.0), name
        assert paper.patience == (5 if name == "eega" else 0), "EEGA's alone states an early stop"
    assert PAPER["eega"].network["lifted"] is False and PAPER["relformer"].network["filter"] is True
    assert (PAPER["rsrnet"].first_evaluation, PAPER["rsrnet-tags"].first_evaluation) == (8, 16)


def test_the_published_dropout_is_the_encoders_own(encoder):
    stock, shared = (TextEncoder.pretrained(encoder, 3, stock=one) for one in (True, False))
    kinds = [
        {type(part).__name__ for part in one.modules() if "Dropout" in type(part).__name__} for one in (stock, shared)
    ]
    assert kinds == [{"Dropout"}, {"SharedDropout"}]
    stock.freeze_shapes(True)
    assert not stock.shape.weight.requires_grad and not stock.shape.weight.any()


def test_every_system_has_recipes_and_a_description():
    assert (
        set(ABOUT) == set(SYSTEMS) == {one.system for one in RECIPES.values()} == {one.system for one in PAPER.values()}
    )


def test_a_systems_speed_is_measured_beside_its_bare_encoder(encoder):
    config = dataclasses.replace(RECIPES["mtb"], encoder=encoder)
    trained, answered, share = systems.measure(config, batches=2, rounds=2, device="cpu")
    assert trained > 0 and answered > 0 and 0 < share <= 1
