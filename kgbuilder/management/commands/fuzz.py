"""Puts inputs that were damaged at random through the product, and counts what went wrong."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder.fuzzing.running import Tally, run
from kgbuilder.scratch import scratch_database

KINDS = ("feeds", "pages", "texts")


class Command(BaseCommand):
    help = (
        "Try feeds (polls and visits), pages (visits) or texts (the reader) that were damaged at random, on a database "
        "of their own. Nothing leaves this machine. Exit 1: something crashed, hung or asked a forbidden address."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=KINDS)
        parser.add_argument("--count", type=int, default=1000, help="how many inputs")
        parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
        parser.add_argument("--only", type=int, metavar="NUMBER", help="this input alone, again")
        parser.add_argument(
            "--inputs", type=Path, nargs="*", default=[], help="files, or folders of files, to damage too"
        )

    def handle(self, *args: Any, kind: str, count: int, seed: int, only: int | None, **options: Any) -> None:
        inputs = [content for path in options["inputs"] for content in _contents(path)]
        numbers = range(count) if only is None else [only]
        with scratch_database("fuzz"):
            tally = run(kind, numbers, seed, inputs)
        self._print(kind, tally)
        if not tally.clean:
            sys.exit(1)

    def _print(self, kind: str, tally: Tally) -> None:
        for number, sentence in tally.wrong:
            self.stdout.write(f"WRONG: input {number} (again with --only {number}): {sentence}")
        outcomes = ", ".join(f"{outcome} {count}" for outcome, count in sorted(tally.outcomes.items()))
        self.stdout.write(f"{tally.inputs} damaged {kind}; {outcomes}; the slowest took {tally.slowest:.1f} s")
        self.stdout.write(
            f"crashes: {tally.crashes}; hangs: {tally.hangs}; requests to forbidden addresses: {tally.forbidden}"
        )


def _contents(path: Path) -> list[bytes]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    try:
        return [file.read_bytes() for file in files if file.is_file()]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
