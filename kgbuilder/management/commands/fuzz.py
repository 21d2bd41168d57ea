"""Runs the product on inputs that were damaged at random, or on a hostile server's addresses; counts the failures."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder.fuzzing import hostile
from kgbuilder.fuzzing.runner import FuzzReport, run
from kgbuilder.install.scratch_database import scratch_database

KINDS = ("feeds", "pages", "texts", "hostile")


class Command(BaseCommand):
    help = (
        "Try feeds (polls and visits), pages (visits) or texts (the reader) that were damaged at random, on a database "
        "of their own; or hostile: every /hostile/ address of a server and the feeds in --inputs as they are. Nothing "
        "leaves this machine. Exit 1: something crashed, hung or requested a forbidden address."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=KINDS)
        parser.add_argument("--count", type=int, default=1000, help="how many inputs")
        parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
        parser.add_argument("--only", type=int, metavar="NUMBER", help="this input alone, again")
        parser.add_argument(
            "--inputs", type=Path, nargs="*", default=[], help="files, or folders of files, to damage too"
        )
        parser.add_argument(
            "--replay",
            type=Path,
            metavar="SCRIPT",
            help="hostile: a server in Python that takes --port, prints its address and names its /hostile/ addresses",
        )

    def handle(self, *args: Any, kind: str, count: int, seed: int, only: int | None, **options: Any) -> None:
        files = {name: content for path in options["inputs"] for name, content in _contents(path)}
        if kind == "hostile":
            self._try_hostile(options["replay"], files)
            return
        inputs = list(files.values())
        numbers = range(count) if only is None else [only]
        with scratch_database("fuzz"):
            tally = run(kind, numbers, seed, inputs)
        self._print(kind, tally)
        if not tally.clean:
            sys.exit(1)

    def _try_hostile(self, script: Path | None, files: dict[str, bytes]) -> None:
        if script is None and not files:
            raise CommandError("Name a server's script with --replay, or feeds with --inputs.")
        wrong = forbidden = tried = 0
        try:
            paths = hostile.addresses_of(script) if script else []
            with hostile.served(script) if script else nullcontext("") as origin, scratch_database("fuzz"):
                for row in hostile.run(origin, paths, files):
                    tried, forbidden, wrong = tried + 1, forbidden + row.forbidden, wrong + bool(row.wrong)
                    name = row.name.rpartition("/")[2][:30]
                    self.stdout.write(f"{name:<30} {row.seconds:6.1f} s {row.megabytes:4} MB  {row.summary}")
                    for sentence in row.wrong:
                        self.stdout.write(f"  WRONG: {sentence}")
        except hostile.NoAddresses as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{tried} tried; wrong: {wrong}; requests to forbidden addresses: {forbidden}")
        if wrong:
            sys.exit(1)

    def _print(self, kind: str, tally: FuzzReport) -> None:
        for number, sentence in tally.wrong:
            self.stdout.write(f"WRONG: input {number} (again with --only {number}): {sentence}")
        outcomes = ", ".join(f"{outcome} {count}" for outcome, count in sorted(tally.outcomes.items()))
        self.stdout.write(f"{tally.inputs} damaged {kind}; {outcomes}; the slowest took {tally.slowest:.1f} s")
        self.stdout.write(
            f"crashes: {tally.crashes}; hangs: {tally.hangs}; requests to forbidden addresses: {tally.forbidden}"
        )


def _contents(path: Path) -> list[tuple[str, bytes]]:
    """The files' names and what is in them."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return [(str(file), file.read_bytes()) for file in files if file.is_file()]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
