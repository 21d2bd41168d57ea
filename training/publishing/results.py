"""The figures of finished runs in docs/results, and the tables made of them. No torch.

A file holds one run: its settings, seed, digest, figures on dev and test. How it differs from its recipe is found
when it is read, as recipes change. Runs that differ in their seed alone, and count pairs alike, make
one row, as mean and sample standard deviation.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import fmean
from typing import Any

from kgbuilder.conf.environment import ROOT
from training.config import TrainConfig
from training.evaluation.bootstrap import spread
from training.recipes import ABOUT, RECIPES

FOLDER = ROOT / "docs" / "results"
BEGIN, END = "<!-- results: manage.py results writes what follows -->", "<!-- end of results -->"
# Settings of where a run was done, not of what was trained.
INCIDENTAL = {"seed", "device", "threads", "max_minutes", "save_minutes", "mentions"}
OPTIONS = ("epochs", "batch", "fraction", "per_relation", "limit", "start", "images", "network")

Result = dict[str, Any]


@dataclass(frozen=True)
class BenchmarkLine:
    """A row of the benchmarks: a recipe's test figure, what it must and should reach, and published figures."""

    recipe: str
    what: str
    least: str
    aim: str
    published: str
    figure: str = "f1"
    title: str = ""  # of what was measured, where it is not the system whole


TEXT_CRF = "BERT-CRF (RSRNeT without pictures)"
# Systems whose kept runs were trained before decision 32 mended what they are given.
BEFORE = {
    "mega": "on complete scene graphs",
    "eega": "with a co-occurrence channel one bit too high",
    "relformer": "the answers do not depend on the region",
}
DECISION = "[decision 32](decisions/0032-one-visual-input.md)"
LINES = (
    BenchmarkLine("mtb", "MNRE, relations", "61.0", "64", "60.96 (MEGA's table), 63.70 (FocalMRE's): BERT-base"),
    BenchmarkLine("mega", "MNRE, relations", "MTB's", "66.41", "66.41: BERT-base, objects of the pictures"),
    BenchmarkLine(
        "focalmre",
        "MNRE, relations, canvases of boxes",
        "MTB's",
        "64",
        "88.01 on regions that leak the label; 62.76 on whole pictures: BERT-base, ViT",
    ),
    BenchmarkLine(
        "rsrnet",
        "MNRE, relations, canvases of boxes",
        "MTB's",
        "64",
        "83.89 on regions that leak the label: RoBERTa, ResNeSt-50, pictures",
    ),
    BenchmarkLine(
        "rsrnet-twitter2017",
        "Twitter2017, mentions",
        "80",
        "83.44",
        "83.44: BERT-CRF, text; 87.90: RSRNeT, with XLM-R, ResNeSt-50 and pictures",
        title=TEXT_CRF,
    ),
    BenchmarkLine(
        "rsrnet-twitter2015",
        "Twitter2015, mentions",
        "68",
        "71.81",
        "71.81: BERT-CRF, text; 76.48: RSRNeT, with XLM-R, ResNeSt-50 and pictures",
        title=TEXT_CRF,
    ),
    BenchmarkLine(
        "jmere-boxes",
        "JMERE's stand-in, directed quintuples",
        "48",
        "55.29",
        "55.29: BERT-base, pictures, JMERE itself, undirected",
    ),
    BenchmarkLine(
        "jmere-boxes",
        "the same, mentions of the quintuples",
        "75",
        "78.59",
        "78.59: as above",
        "mentions_of_quintuples_f1",
    ),
    BenchmarkLine("jmere", "the same, directed quintuples, text alone", "", "", "none"),
    BenchmarkLine("conll04", "CoNLL04, strict relations", "63", "71.5", "71.5: SpERT, BERT-base, train and dev"),
    BenchmarkLine("relformer", "GMNER, whether a region depicts a mention", "", "", "none on GMNER"),
    BenchmarkLine("relformer", "the same, accuracy", "", "", "none on GMNER", "accuracy"),
)


def kept(folder: Path) -> Result:
    """The record of the finished run in `folder`. Raises ValueError where there is none, or of no recipe."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        config = TrainConfig.from_dict(metrics["config"])
        result = {
            "config": config.as_dict(),
            "digest": metrics["digest"],
            "steps": metrics["steps"],
            "seconds": metrics["seconds"],
            "device": metrics["device"],
            "versions": metrics["versions"],
            "dev": metrics["dev"]["figures"],
            "test": metrics["test"]["figures"],
            "test_interval": metrics["test_interval"],
            "inputs": metrics.get("inputs"),
            "best_epoch": best_epoch(metrics["curve"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds no finished run ({error!r}): name a folder with its metrics.json") from error
    recipe, changed = recipe_of(config)
    return {"recipe": recipe, "changed": changed, "system": config.system, "seed": config.seed, **result}


def recipe_of(config: TrainConfig) -> tuple[str, dict[str, Any]]:
    """The recipe that a run is nearest to, and the settings in which it differs. Raises ValueError where none fits."""
    own = settings(config)
    found: list[tuple[int, str, dict[str, Any]]] = []
    for name, recipe in RECIPES.items():
        if (recipe.system, recipe.head, recipe.data) != (config.system, config.head, config.data):
            continue
        theirs = settings(recipe)
        changed = {key: value for key, value in own.items() if value != theirs[key]}
        found.append((len(changed), name, changed))
    if not found:
        raise ValueError(f"no recipe trains {config.system} on {', '.join(config.data)}: no table has a row for it")
    _, name, changed = min(found, key=lambda one: one[:2])
    return name, changed


def settings(config: TrainConfig) -> dict[str, Any]:
    """A run's settings as they are recorded: all but its seed and where it was done."""
    values: dict[str, Any] = json.loads(json.dumps(config.as_dict()))
    return {key: value for key, value in values.items() if key not in INCIDENTAL}


def best_epoch(curve: Sequence[dict[str, float]]) -> int | None:
    """The epoch whose weights were kept, where a run was scored on dev as it went."""
    return int(max(curve, key=lambda one: one["f1"])["epoch"]) if curve else None


def keep(folders: Sequence[Path], place: Path = FOLDER) -> list[Path]:
    """Writes a file for each run; one of the same recipe, changes and seed is replaced. Raises ValueError."""
    results = [kept(folder) for folder in folders]
    place.mkdir(parents=True, exist_ok=True)
    paths = []
    for result in results:
        path = place / f"{_name(result)}.json"
        path.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _name(result: Result) -> str:
    plain = {key: value for key, value in sorted(result["changed"].items()) if isinstance(value, int | float)}
    others = {key: value for key, value in result["changed"].items() if key not in plain}
    suffix = hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()[:6] if others else ""
    parts = [f"{key}-{value}" for key, value in plain.items()]
    return "-".join(filter(None, [result["recipe"], *parts, suffix, f"seed-{result['seed']}"]))


def load(place: Path = FOLDER) -> list[Result]:
    """All records, in the order of the files' names."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(place.glob("*.json"))]
    for result in results:
        if "config" in result:
            result["recipe"], result["changed"] = recipe_of(TrainConfig.from_dict(result["config"]))
    return results


def table(results: Sequence[Result]) -> str:
    """The table of docs/benchmarks.md: a row for each line and, of its recipe, each way of training it."""
    rows = [
        "| system | on test | measured | seeds | required | target | published, and with what |",
        "|---" * 7 + "|",
    ]
    for line in LINES:
        system = _title(line)
        for measured, seeds in _measured(line, results):
            goals = f"{line.least or 'none'} | {line.aim or 'none'}"
            rows.append(f"| {system} | {line.what} | {measured} | {seeds} | {goals} | {line.published} |")
    return "\n".join(rows) + "\n"


def short_table(results: Sequence[Result]) -> str:
    """The table of docs/systems.md: our figure beside the paper's, and the command that makes it."""
    rows = ["| system | on test | measured | published, and with what | command |", "|---" * 5 + "|"]
    for line in LINES:
        commands = _commands(line, results) if line.figure == "f1" else repeat("the same")
        for (measured, _), command in zip(_measured(line, results), commands, strict=False):
            title = _title(line)
            rows.append(f"| {title} | {line.what} | {measured} | {line.published} | {command} |")
    return "\n".join(rows) + "\n"


def _title(line: BenchmarkLine) -> str:
    return line.title or ABOUT[RECIPES[line.recipe].system].title


def _measured(line: BenchmarkLine, results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """A line's figure in words and the seeds behind it, for each way in which its recipe was trained."""
    groups = _groups(line.recipe, results)
    if not groups:
        yield "not run", ""
    for runs in groups:
        one = spread([100 * run["test"][line.figure] for run in runs])
        cell = f"**{one.mean:.1f}**" + (f" ({one.deviation:.1f})" if one.runs > 1 else "") + _likeliest(line, runs)
        changed = runs[0]["changed"]
        if changed:
            cell += f", with {', '.join(f'{key} {_plain(value)}' for key, value in sorted(changed.items()))}"
        if reason := BEFORE.get(runs[0]["system"]):
            cell += "" if runs[0].get("inputs") else f"; before {DECISION}: {reason}"
        yield cell, ", ".join(str(run["seed"]) for run in runs)


def _likeliest(line: BenchmarkLine, runs: Sequence[Result]) -> str:
    """What stands beside a pair system's figure: that of the most probable label, where another rule made it."""
    name = f"argmax_{line.figure}"
    if not all(name in run["test"] for run in runs):
        return ", of the most probable label" if "accuracy" in runs[0]["test"] else ""
    return f"; {100 * fmean(run['test'][name] for run in runs):.1f} of the most probable label"


def _groups(recipe: str, results: Sequence[Result]) -> list[list[Result]]:
    """Runs of a recipe that differ in their seed alone, together."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result["recipe"] == recipe:
            # Figures by a threshold and figures by the most probable label are different figures.
            counts = "argmax_f1" in result["test"]
            mended = bool(result.get("inputs"))
            found.setdefault(json.dumps([result["changed"], counts, mended], sort_keys=True), []).append(result)
    return [sorted(runs, key=lambda run: int(run["seed"])) for _, runs in sorted(found.items())]


def _commands(line: BenchmarkLine, results: Sequence[Result]) -> Iterator[str]:
    """How each of a line's figures is made, but for folders and seeds."""
    system = RECIPES[line.recipe].system
    for changed in [runs[0]["changed"] for runs in _groups(line.recipe, results)] or [{}]:
        words = ["manage.py", "train", system]
        words += ["--recipe", line.recipe] if line.recipe != system else []
        for key in OPTIONS:
            if key in changed:
                value = changed[key]
                words += [f"--{key.replace('_', '-')}", value if isinstance(value, str) else json.dumps(value)]
        if rest := {key: value for key, value in changed.items() if key not in OPTIONS}:
            words += ["--set", json.dumps(rest)]
        yield f"`{shlex.join(words)}`"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def written(text: str, table: str) -> str:
    """`text` with what stands between its marks replaced. Raises ValueError where it has no marks."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"there is no place for the results: it stands between {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def documents() -> dict[Path, str]:
    """The files that hold a table, with the table that they should hold."""
    results = load()
    docs = ROOT / "docs"
    tables = {docs / "systems.md": short_table(results), docs / "benchmarks.md": table(results)}
    return {path: written(path.read_text(encoding="utf-8"), text) for path, text in tables.items()}
