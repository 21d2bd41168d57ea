"""How fast each system trains and answers, and what share of that is its bare encoders.

Sentences are made up (24 words, three boxes, a canvas for the picture), the encoders those of the recipes. The bare
encoders go over the same batches right after the network, so that whatever else the machine does slows both.
"""

from __future__ import annotations

import dataclasses
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from extraction.schema import Candidate, Example, Fact, Region, WordRelation, Words, WordSpan
from kgbuilder.benchmarks import NotMeasured
from training.config import Device, TrainConfig
from training.recipes import RECIPES

HELP = "training and inference samples a second of each system, and the share of its bare encoders"
RUNS = ("mtb", "mega", "jmere-boxes", "focalmre", "rsrnet", "rsrnet-twitter2017", "relformer")
WORDS, REGIONS, BATCH = 24, 3, 16
KEY = "/per/loc/place_of_birth"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--recipe", action="append", choices=sorted(RECIPES), help=f"default: {', '.join(RUNS)}")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu")


def run(options: Mapping[str, Any], write: Callable[[str], object], note: Callable[[str], object]) -> None:
    if options["batches"] < 1 or options["rounds"] < 1:
        raise NotMeasured("At least one batch and one round are needed.")
    write("| recipe | trained, samples/s | answered, samples/s | bare encoders' share of an answer |")
    write("|---|---|---|---|")
    for name in options["recipe"] or RUNS:
        trained, answered, share = measure(RECIPES[name], options["batches"], options["rounds"], options["device"])
        write(f"| {name} | {trained:.1f} | {answered:.1f} | {share:.2f} |")


def measure(config: TrainConfig, batches: int, rounds: int, device: Device) -> tuple[float, float, float]:
    """Samples a second trained and answered, and the encoders' share of an answer's time."""
    import torch

    from extraction.features.batch import to_device
    from training.data.preparation import prepare_examples
    from training.engine.loop import Run
    from training.engine.networks import new_network
    from training.heads import head_of

    config = dataclasses.replace(config, data=("mnre",), labels="native", batch=BATCH, epochs=1, device=device)
    examples = [example(number) for number in range(BATCH * batches)]
    prepared = prepare_examples(config, head_of(config.system, config.head), examples, Flat())
    run = Run(config, prepared, new_network(config, prepared.vocabularies))
    batches_made = [run._make(list(range(start, start + BATCH)), 0) for start in range(0, len(prepared.items), BATCH)]
    run.step(*batches_made[0])  # the first step of a process is slow
    trained = _seconds(lambda one: run.step(*one), batches_made, rounds, run.device)
    run.network.eval()
    held = [to_device(batch, run.device) for batch, _, _ in batches_made]
    with torch.inference_mode():
        run.network(held[0])
        answered = bare = 0.0
        for one in held * rounds:  # one after the other, so that whatever else the machine does slows both
            answered += _seconds(run.network, [one], 1, run.device)
            bare += _seconds(lambda batch: encode(run.network, batch), [one], 1, run.device)
    count = len(prepared.items) * rounds
    return count / trained, count / answered, min(1.0, bare / answered)


def encode(network: Any, batch: Any) -> None:
    """The text encoder's and the vision encoder's forward passes alone."""
    from extraction.networks.encoders.vit import VISION

    network.encoder(batch.ids, batch.shapes, batch.pieces)
    if batch.pictures is None:
        return
    for part in network.modules():
        if isinstance(part, tuple(VISION.values())):
            see: Any = part
            see(batch.pictures.pixels[batch.pictures.present])


def _seconds(act: Callable[[Any], object], batches: list[Any], rounds: int, device: Any) -> float:
    import torch

    started = time.perf_counter()
    for _ in range(rounds):
        for batch in batches:
            act(batch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


class Flat:
    """Trees in which every word hangs on the first."""

    version = "flat"
    pos_labels = ("X",)
    dep_labels = ("root", "dep")

    def parse_words(self, sentences: Any) -> list[Words]:
        return [
            Words(
                tuple((0, 0) for _ in words),
                tuple(words),
                ("X",) * len(words),
                (0,) * len(words),
                ("root", *["dep"] * (len(words) - 1)),
            )
            for words in sentences
        ]


def example(number: int) -> Example:
    """A sentence with two mentions, boxes, and a fact."""
    from extraction.labels import annotated_relations, annotated_types

    words = tuple(f"word{(number * 7 + place) % 50}" for place in range(WORDS))
    regions = tuple(Region((0.1 + 0.2 * place, 0.2, 0.3, 0.4)) for place in range(REGIONS))
    return Example(
        id=str(number),
        dataset="mnre",
        words=words,
        mentions=(WordSpan(1, 3, "per"), WordSpan(10, 12, "loc")),
        relations=(WordRelation(0, 1, KEY),),
        types=annotated_types("mnre", "native"),
        relation_keys=annotated_relations("mnre", "native"),
        candidates=(Candidate(0, 1, KEY), Candidate(0, 0, KEY, region=True)),
        regions=regions,
        facts=(Fact(words[1], "in", words[10], "made up"),),
    )
