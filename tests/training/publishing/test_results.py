"""Figures of finished runs: the record of one, and the tables of the documentation, which agree with the files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from training.publishing import results
from training.recipes import RECIPES


def finished(folder: Path, recipe: str, f1: float, **changes: Any) -> Path:
    config = dataclasses.replace(RECIPES[recipe], **changes)
    folder.mkdir(parents=True)
    figures = {"f1": f1, "argmax_f1": f1 - 0.01, "accuracy": 0.7, "mentions_of_quintuples_f1": 0.75}
    metrics = {
        **{"config": config.as_dict(), "digest": "ab" * 32, "steps": 9, "seconds": 60.5, "device": "processor"},
        **{"versions": {"torch": "2"}, "dev": {"figures": figures}, "test": {"figures": figures}},
        **{"inputs": {"most": 3}},
        **{"test_interval": [0.1, 0.9], "curve": [{"epoch": 1, "f1": 0.2}, {"epoch": 2, "f1": 0.4}]},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_the_documents_hold_the_tables_of_the_kept_results() -> None:
    for path, text in results.documents().items():
        assert path.read_text(encoding="utf-8") == text, "Run: manage.py results"


def test_every_kept_result_stands_in_a_row() -> None:
    lines = {line.recipe for line in results.LINES}
    assert lines <= set(RECIPES)
    assert all(result["recipe"] in lines for result in results.load())


def test_runs_of_other_seeds_make_one_row_with_their_spread(tmp_path: Path) -> None:
    runs = [finished(tmp_path / str(seed), "mtb", 0.6 + seed / 100, seed=seed, epochs=4) for seed in (1, 2, 3)]
    runs.append(finished(tmp_path / "other", "mtb", 0.5, seed=1, epochs=2, threads=1))
    paths = results.keep(runs, tmp_path / "kept")
    assert [path.name for path in paths][::3] == ["mtb-epochs-4-seed-1.json", "mtb-epochs-2-seed-1.json"]
    found = results.load(tmp_path / "kept")
    assert found[0]["changed"] == {"epochs": 2} and found[0]["best_epoch"] == 2
    rows = [row for row in results.table(found).splitlines() if row.startswith("| MTB")]
    assert [row.split(" | ")[2:4] for row in rows] == [
        ["**50.0**; 49.0 of the most probable label, with epochs 2", "1"],
        ["**62.0** (1.0); 61.0 of the most probable label, with epochs 4", "1, 2, 3"],
    ]
    assert "| not run | " in results.table(found)


def test_another_rule_or_recipe_makes_a_row_of_its_own(tmp_path: Path) -> None:
    runs = [finished(tmp_path / "new", "mtb", 0.64, seed=1), finished(tmp_path / "old", "mtb", 0.60, seed=2)]
    metrics = json.loads((runs[1] / "metrics.json").read_text())
    del metrics["test"]["figures"]["argmax_f1"]
    (runs[1] / "metrics.json").write_text(json.dumps(metrics))
    runs += [finished(tmp_path / name, "mega", 0.5, network={"top": top}) for name, top in (("a", 1), ("b", 5))]
    assert len(set(results.keep(runs, tmp_path / "kept"))) == 4
    found = results.load(tmp_path / "kept")
    rows = [row.split(" | ")[2] for row in results.table(found).splitlines() if row.startswith("| MTB")]
    assert sorted(rows) == ["**60.0**, of the most probable label", "**64.0**; 63.0 of the most probable label"]
    kept = json.loads((tmp_path / "kept" / "mtb-seed-1.json").read_text())
    kept["config"]["epochs"] = 9  # as if the recipe had been changed since
    (tmp_path / "kept" / "mtb-seed-1.json").write_text(json.dumps(kept))
    assert {"epochs": 9} in [one["changed"] for one in results.load(tmp_path / "kept")]


def test_a_run_is_described_by_the_command_that_makes_it(tmp_path: Path) -> None:
    run = finished(tmp_path / "a", "rsrnet-twitter2017", 0.8, epochs=5, warmup=0.2)
    results.keep([run], tmp_path / "kept")
    table = results.short_table(results.load(tmp_path / "kept"))
    assert (
        "`manage.py train rsrnet --recipe rsrnet-twitter2017 --epochs 5 --set '{\"warmup\": 0.2}'`" in table
        and "`manage.py train mtb`" in table
    )


def test_a_run_of_before_decision_32_says_so_and_stands_apart(tmp_path: Path) -> None:
    runs = [finished(tmp_path / str(seed), "mega", 0.6 + seed / 100, seed=seed) for seed in (1, 2)]
    metrics = json.loads((runs[0] / "metrics.json").read_text())
    del metrics["inputs"]
    (runs[0] / "metrics.json").write_text(json.dumps(metrics))
    results.keep(runs, tmp_path / "kept")
    found = results.load(tmp_path / "kept")
    rows = [row for row in results.table(found).splitlines() if row.startswith("| MEGA")]
    assert len(rows) == 2 and sum("before [decision 32]" in row and "complete scene graphs" in row for row in rows) == 1


def test_no_figure_on_gmner_stands_beside_one_on_more() -> None:
    relformer = [line for line in results.LINES if line.recipe == "relformer"]
    assert relformer and not any("MORE" in line.published for line in relformer)
    table = results.table(results.load())
    assert not any(row.startswith("| RSRNeT") and "Twitter" in row for row in table.splitlines())


def test_the_nearest_recipe_is_a_runs_own() -> None:
    config = dataclasses.replace(RECIPES["jmere-boxes"], seed=4)
    assert results.recipe_of(config) == ("jmere-boxes", {})
    with pytest.raises(ValueError, match="no recipe trains eega on crossre"):
        results.recipe_of(dataclasses.replace(config, data=("crossre",)))


def test_a_folder_without_a_finished_run_and_a_file_without_a_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no finished run"):
        results.keep([tmp_path], tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    with pytest.raises(ValueError, match="no place for the results"):
        results.written("nothing here", "")
    with_place = f"a {results.BEGIN} old {results.END} z"
    assert results.written(with_place, "new") == f"a {results.BEGIN}\n\nnew\n{results.END} z"
