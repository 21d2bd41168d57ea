"""Training without Django: `python -m training mtb --data-root DATA --out OUT`. For machines with a GPU.

python -m training --parses parses.gz --data mnre,jmere,conll04 --data-root DATA    saves parses (needs spaCy)
python -m training mega --seed 2 --device cuda --parses parses.gz --data-root DATA --out runs/mega-2
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from kgbuilder.conf.threads import sleep_while_waiting
from training.config import TrainConfig
from training.recipes import DEPARTURES, GO_ON, PAPER, RECIPES


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    options = _arguments().parse_args(arguments)
    sleep_while_waiting()
    from extraction.datasets.registry import DatasetError
    from extraction.networks.encoders.text import EncoderMissing
    from extraction.reader.checkpoint import CheckpointError
    from extraction.text.parser import ParserMissing
    from training.data.parse_cache import ParseCache, ParsesMissing
    from training.engine.loop import StateError
    from training.run import Stopped, Watcher, run

    try:
        if options.recipe is None:
            return _save_parses(options)
        config = configured(options.recipe, vars(options))
        for sentence in departures(options.recipe):
            print(f"not as in the paper: {sentence}")
        parses = ParseCache.load(Path(options.parses)) if options.parses else None
        watcher = Watcher(Reporter(lambda line: print(line, flush=True)), say=print)
        result = run(config, Path(options.data_root), Path(options.out), parses, watcher, resume=options.resume)
    except (CheckpointError, DatasetError, EncoderMissing, ParserMissing, ParsesMissing) as error:
        print(error, file=sys.stderr)
        return 1
    except (StateError, Stopped, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    if result:
        print(json.dumps({"name": result["name"], "test": result["test"]["figures"], "seconds": result["seconds"]}))
    return 0


def departures(recipe: str) -> tuple[str, ...]:
    """In what a recipe of a paper's settings differs from the paper; () for our own recipes."""
    return DEPARTURES.get(recipe.removesuffix("-paper"), ()) if recipe.endswith("-paper") else ()


def configured(recipe: str, options: dict[str, Any]) -> TrainConfig:
    """A recipe with the requested changes. Raises ValueError for an unknown recipe or setting."""
    recipes = {**RECIPES, **{f"{name}-paper": config for name, config in PAPER.items()}}
    if recipe not in recipes:
        raise ValueError(f"there is no recipe {recipe!r}; there are {', '.join(sorted(recipes))}")
    config = recipes[recipe]
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    changes = {key: value for key, value in options.items() if key in known and value is not None}
    changes |= json.loads(options.get("set") or "{}")
    if isinstance(changes.get("data"), str):
        changes["data"] = tuple(changes["data"].split(","))
    if "network" in changes:
        changes["network"] = {**config.network, **changes["network"]}
    if unknown := sorted(set(changes) - known):
        raise ValueError(f"a run has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
    if recipe in GO_ON and not changes.get("start"):
        raise ValueError(
            f"{recipe!r} continues from a checkpoint of the recipe {GO_ON[recipe]!r}: name it with --start"
        )
    return dataclasses.replace(config, **changes)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", help=f"one of {', '.join(RECIPES)}; NAME-paper for a paper's settings")
    parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
    parser.add_argument("--out", default="out", help="folder for the checkpoint; its state lies in OUT/run")
    parser.add_argument("--parses", help="cache of parses; without a recipe it is made")
    parser.add_argument("--data", help="data sets, separated by commas, instead of the recipe's")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--start", help="a checkpoint's folder, from which the run continues")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16", "fp16"])
    parser.add_argument("--limit", type=int, help="examples of each split, for trying things out")
    parser.add_argument("--fraction", type=float, help="share of the training items")
    parser.add_argument("--per-relation", type=int, help="training pairs of each relation, at most")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--max-minutes", type=float)
    parser.add_argument("--images", help="folders of the pictures, joined by :")
    parser.add_argument("--prepared", help="results of prepare_images in place of published boxes: latest, or a digest")
    parser.add_argument("--network", type=json.loads, help="settings of the network, as JSON")
    parser.add_argument("--set", help="any other settings of the run, as JSON")
    parser.add_argument("--resume", action="store_true", help="continue where a run in OUT was stopped")
    return parser


def _save_parses(options: argparse.Namespace) -> int:
    from extraction.datasets.registry import SPLITS, load
    from extraction.text.parser import Parser
    from training.data.parse_cache import ParseCache

    if not (options.parses and options.data):
        raise ValueError("Name a recipe, or --parses FILE and --data SETS to save their parses.")
    parser = Parser.load()
    path = Path(options.parses)
    cache = ParseCache.load(path) if path.exists() else ParseCache(parser.version, parser.pos_labels, parser.dep_labels)
    for name in options.data.split(","):
        for split in SPLITS:
            examples = load(name, split, Path(options.data_root), "native")
            new = cache.add(parser, [example.words for example in examples])
            print(f"{name} {split}: {len(examples)} examples, {new} new sentences")
    cache.save(path)
    return 0


class Reporter:
    """A line of progress every ten seconds, and one for each evaluation: losses of the last steps, time left."""

    def __init__(self, write: Any) -> None:
        self.write, self.next = write, time.monotonic()
        self.first: tuple[int, float] | None = None
        self.judged = 0

    def __call__(self, progress: Any) -> None:
        if self.first is None:
            self.first = (progress.step, progress.seconds)
        if len(progress.scores) > self.judged:
            self.judged = len(progress.scores)
            score = progress.scores[-1]
            scores = "  ".join(f"{name} {value:.3f}" for name, value in score.items() if name not in ("epoch", "step"))
            self.write(f"dev after epoch {score['epoch']}: {scores}")
        if time.monotonic() < self.next and progress.step < progress.steps:
            return
        self.next = time.monotonic() + 10
        losses = " ".join(f"{value:.3f} {name}" for name, value in progress.recent().items())
        done, spent = progress.step - self.first[0], progress.seconds - self.first[1]
        left = (progress.steps - progress.step) * spent / done if done else 0.0
        self.write(
            f"step {progress.step} of {progress.steps} ({progress.step / progress.steps:.0%}), epoch "
            f"{progress.passing}, loss {losses}, about {left / 60:.0f} min left"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
