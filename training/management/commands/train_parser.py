"""`manage.py train_parser --data DIR --out DIR`: remake or measure the parser that kgbuilder ships."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from training.dependency_parser.treebanks import Block, TreebankError, blocks, held_out, read

TRAINED_ON = ("en_ewt-ud-dev", "en_ewt-ud-test", "en_pud-ud-test")
SETTINGS = ("epochs", "width", "depth", "vectors", "seed")
MEASURED_ON = ("en_gum-ud-test", "en_lines-ud-test", "en_partut-ud-test")  # non-commercial: never trained on


class Command(BaseCommand):
    help = (
        "Train the parser (tagger, dependency parser, sentence bounds) on the English UD treebanks EWT and PUD, and "
        "measure it on held-out documents. Takes about eight minutes of one core."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with the .conllu files")
        parser.add_argument("--out", type=Path, help="folder to write the pipeline to; replaced if it exists")
        parser.add_argument("--measure", metavar="PIPELINE", help="measure this pipeline (or `shipped`); train nothing")
        for name in SETTINGS:
            parser.add_argument(f"--{name}", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["out"]) == bool(options["measure"]):
            raise CommandError("Give either --out FOLDER, to train, or --measure PIPELINE, to measure an existing one.")
        try:
            gold = _load(options["data"], TRAINED_ON)
            if options["out"]:
                self._train([block for block in gold if not held_out(block)], gold, options)
            else:
                name = options["measure"]
                self._measure(None if name == "shipped" else name, gold, options["data"])
        except TreebankError as error:
            raise CommandError(str(error)) from error

    def _train(self, blocks: list[Block], gold: list[Block], options: dict[str, Any]) -> None:
        import torch

        from extraction.text.parser import Parser
        from training.dependency_parser.train import ParserConfig, save, score_parser, train

        torch.set_num_threads(1)
        given = {name: options[name] for name in SETTINGS if options[name] is not None}
        config = replace(ParserConfig(), **given)
        self.stdout.write(f"{_words(blocks):,} words in {len(blocks):,} paragraphs; {config}")
        nlp = train(blocks, config, self.stdout.write)
        held = [block for block in gold if held_out(block)]
        save(nlp, options["out"], score_parser(Parser(nlp), held).figures())
        self._measure(options["out"], gold, options["data"])

    def _measure(self, path: Path | str | None, gold: list[Block], data: Path) -> None:
        from extraction.text.parser import Parser, ParserMissing
        from training.dependency_parser.train import score_parser

        try:
            parser = Parser.load(path)
        except ParserMissing as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{parser.version}; F1 in per cent on running text, as in the CoNLL 2018 shared task")
        self.stdout.write(
            f"{'':24}{'words':>8}{'UPOS':>8}{'UAS':>8}{'LAS':>8}{'sent.':>8}{'UPOS acc.':>11}{'words/s':>9}"
        )
        sets = {"held out of EWT and PUD": [block for block in gold if held_out(block)]}
        sets |= {name: _load(data, (name,)) for name in MEASURED_ON if (data / f"{name}.conllu").exists()}
        for name, held in sets.items():
            started = time.process_time()
            figures = score_parser(parser, held).figures()
            speed = _words(held) / (time.process_time() - started)
            row = "".join(f"{figures[key]:8.1f}" for key in ("words", "upos", "uas", "las", "sentences"))
            self.stdout.write(f"{name:24}{row}{figures['upos_accuracy']:11.1f}{speed:9,.0f}")


def _load(data: Path, names: tuple[str, ...]) -> list[Block]:
    return [block for name in names for block in blocks(read(data / f"{name}.conllu"))]


def _words(blocks: list[Block]) -> int:
    return sum(len(tree.words) for block in blocks for tree in block.trees)
