"""The papers' ablations: each switch trained as its system's recipe says, ours beside the published figure."""

from __future__ import annotations

import dataclasses
import os
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kgbuilder.benchmarks import NotMeasured
from training.ablations import ABLATIONS
from training.alone import configured
from training.config import TrainConfig

HELP = "each paper's switches, trained anew: F1 and what each costs, the published figure beside it"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--system", choices=sorted(ABLATIONS), action="append", help="default: all")
    parser.add_argument("--only", help="rows whose name holds this")
    parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""))
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the runs; one that is done is not done again"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--parses", help="cache of parses")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--limit", type=int, help="examples of each split, for trying things out")


def run(options: Mapping[str, Any], write: Callable[[str], object], note: Callable[[str], object]) -> None:
    from extraction.networks.encoders import EncoderMissing, VisionEncoderMissing

    if not options["data_root"]:
        raise NotMeasured("Which folder holds the data sets? Name it with --data-root or in KGBUILDER_DATA.")
    write("| system | switch | test F1, mean of seeds (spread) | less than whole | published | less than whole |")
    write("|---|---|---|---|---|---|")
    for system in options["system"] or ABLATIONS:
        recipe, rows = ABLATIONS[system]
        whole: float | None = None
        for row in rows:
            if options["only"] and options["only"] not in row.name and row is not rows[0]:
                continue
            seeds = range(1, options["seeds"] + 1)
            try:
                figures = [_figure(recipe, system, row, seed, options, note) for seed in seeds]
            except (EncoderMissing, VisionEncoderMissing) as error:
                note(str(error))
                write(f"| {system} | {row.name} | not measured: its weights cannot be had | | | |")
                continue
            write(line(system, row, figures, whole, rows[0].published))
            whole = sum(figures) / len(figures) if whole is None else whole


def line(system: str, row: Any, figures: list[float], whole: float | None, published: float | None) -> str:
    """A row of Markdown; figures are shares."""
    from training.bootstrap import spread

    ours = spread(figures)
    less = "" if whole is None else f"{100 * (ours.mean - whole):+.1f}"
    theirs = "" if row.published is None else f"{row.published:.2f}"
    gap = "" if row.published is None or published is None or whole is None else f"{row.published - published:+.2f}"
    return f"| {system} | {row.name} | {100 * ours.mean:.1f} ({100 * ours.deviation:.1f}) | {less} | {theirs} | {gap} |"


def _figure(
    recipe: str, system: str, row: Any, seed: int, options: Mapping[str, Any], note: Callable[[str], object]
) -> float:
    """The test F1 of one run, from its folder where it is done: of a pair system that of the most probable label, as
    the papers count."""
    import json

    place = "-".join("".join(c if c.isalnum() else " " for c in row.name).split())
    folder = options["out"] / f"{system}-{place}-{seed}"
    done = folder / "metrics.json"
    config = _config(recipe, row, seed, options)
    if done.exists():
        told = json.loads(done.read_text(encoding="utf-8"))
        if TrainConfig.from_dict(told["config"]) != TrainConfig.from_dict(json.loads(json.dumps(config.as_dict()))):
            raise NotMeasured(f"{folder} holds a run with other settings: use another --out.")
    else:
        from training.parses import ParseCache
        from training.runner import run as train

        note(f"{system}: {row.name}, seed {seed}")
        parser = ParseCache.load(Path(options["parses"])) if options["parses"] else None
        told = train(config, Path(options["data_root"]), folder, parser, resume=True)
    figures: dict[str, float] = told["test"]["figures"]
    return figures.get("argmax_f1", figures["f1"])


def _config(recipe: str, row: Any, seed: int, options: Mapping[str, Any]) -> TrainConfig:
    changes = {name: options[name] for name in ("device", "epochs", "limit")}
    config = configured(recipe, {**changes, "seed": seed})
    return dataclasses.replace(config, **row.config, network={**config.network, **row.network})
