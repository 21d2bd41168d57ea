"""The papers' ablations: each switch trained by its system's recipe, ours beside the published figure."""

from __future__ import annotations

import dataclasses
import json
import os
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from kgbuilder.benchmarks import NotMeasured
from training.__main__ import configured
from training.config import TrainConfig
from training.evaluation.ablations import ABLATIONS, Ablation
from training.evaluation.bootstrap import spread
from training.publishing.results import Result, load, settings

HELP = "each paper's switches, trained again: F1 and the loss by each switch, beside the published figure"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--system", choices=sorted(ABLATIONS), action="append", help="default: all")
    parser.add_argument("--only", help="rows whose name holds this")
    parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""))
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the runs; one that is done, here or in docs/results, is not done again",
    )
    parser.add_argument("--trained", action="store_true", help="train nothing: show the runs that are done")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--parses", help="cache of parses")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--limit", type=int, help="examples of each split, for trying things out")


def run(options: Mapping[str, Any], write: Callable[[str], object], note: Callable[[str], object]) -> None:
    from extraction.networks.encoders.text import EncoderMissing, VisionEncoderMissing

    if not (options["data_root"] or options["trained"]):
        raise NotMeasured("Which folder holds the data sets? Name it with --data-root or in KGBUILDER_DATA.")
    write(
        "| system | switch | test F1, mean of seeds (spread) | seeds | less than whole | published | less than whole |"
    )
    write("|---" * 7 + "|")
    kept = [one for one in load() if "config" in one]
    for system in options["system"] or ABLATIONS:
        rows = ABLATIONS[system][1]
        whole: dict[int, float] = {}
        for row in rows:
            if options["only"] and options["only"] not in row.name and row is not rows[0]:
                continue
            if row.needs:
                write(f"| {system} | {row.name} | not run: needs {row.needs} | | | {_published(row)} | |")
                continue
            seeds = range(1, options["seeds"] + 1)
            try:
                measured = {seed: _figure(system, row, seed, options, kept, note) for seed in seeds}
            except (EncoderMissing, VisionEncoderMissing) as error:
                note(str(error))
                write(f"| {system} | {row.name} | not measured: its weights cannot be had | | | | |")
                continue
            figures = {seed: figure for seed, figure in measured.items() if figure is not None}
            if figures:
                write(line(system, row, figures, whole, rows[0].published))
            whole = whole or figures


def line(
    system: str, row: Ablation, figures: Mapping[int, float], whole: Mapping[int, float], published: float | None
) -> str:
    """A row of Markdown; `figures` are shares by seed. The loss by a switch is taken over the seeds that both have."""
    ours = spread(list(figures.values()))
    both = [100 * (figure - whole[seed]) for seed, figure in figures.items() if seed in whole]
    less = f"{fmean(both):+.1f}" if both else ""
    theirs = _published(row)
    gap = "" if row.published is None or published is None or not whole else f"{row.published - published:+.2f}"
    measured = f"{100 * ours.mean:.1f}" + (f" ({100 * ours.deviation:.1f})" if ours.runs > 1 else "")
    return f"| {system} | {row.name} | {measured} | {', '.join(map(str, figures))} | {less} | {theirs} | {gap} |"


def _published(row: Ablation) -> str:
    return "" if row.published is None else f"{row.published:.2f}"


def _figure(
    system: str,
    row: Ablation,
    seed: int,
    options: Mapping[str, Any],
    kept: Sequence[Result],
    note: Callable[[str], object],
) -> float | None:
    """The test F1 of one run, of a pair system that of the most probable label, as the papers count. It is read
    from its folder or from the kept results if it is done; None where nothing is to be trained."""
    config = _config(ABLATIONS[system][0], row, seed, options)
    folder = folder_of(options["out"], system, row, seed)
    if (folder / "metrics.json").exists():
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        if not _trained_so(metrics, config):
            raise NotMeasured(f"{folder} holds a run with other settings: use another --out.")
        figures = metrics["test"]["figures"]
    elif same := [one for one in kept if one["seed"] == seed and _trained_so(one, config)]:
        figures = same[0]["test"]
    elif options["trained"]:
        return None
    else:
        from training.data.parse_cache import ParseCache
        from training.run import run as train

        note(f"{system}: {row.name}, seed {seed}")
        parser = ParseCache.load(Path(options["parses"])) if options["parses"] else None
        figures = train(config, Path(options["data_root"]), folder, parser, resume=True)["test"]["figures"]
    return float(figures.get("argmax_f1", figures["f1"]))


def folder_of(out: Path, system: str, row: Ablation, seed: int) -> Path:
    """Where a row's run lies."""
    place = "-".join("".join(c if c.isalnum() else " " for c in row.name).split())
    return out / f"{system}-{place}-{seed}"


def _trained_so(run: Mapping[str, Any], config: TrainConfig) -> bool:
    return settings(TrainConfig.from_dict(run["config"])) == settings(config)


def _config(recipe: str, row: Any, seed: int, options: Mapping[str, Any]) -> TrainConfig:
    changes = {name: options[name] for name in ("device", "epochs", "limit")}
    config = configured(recipe, {**changes, "seed": seed})
    return dataclasses.replace(config, **row.config, network={**config.network, **row.network})
