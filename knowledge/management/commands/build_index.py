"""Builds the local index of entities from a Wikidata dump, or any part of one."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Build the local index of entities from a Wikidata JSON dump or a part of one (.json, .jsonl, .gz, .bz2). "
        "If stopped, it resumes where it was; the index in use stays until the new one is complete. Without a dump: "
        "rewrite the present index, which a new version of the program may require."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dump", type=Path, nargs="?")
        parser.add_argument("--out", type=Path, help="the index's file; default: index.sqlite3 in DATA_DIR")
        parser.add_argument(
            "--least-sitelinks", type=int, default=0, help="leave out entities with fewer Wikipedia articles"
        )

    def handle(self, *args: Any, dump: Path | None, out: Path | None, least_sitelinks: int, **options: Any) -> None:
        from knowledge.sources import index_builder, wikidata_json
        from knowledge.sources.protocol import SourceUnavailable

        path = out or Path(settings.DATA_DIR) / "index.sqlite3"
        if dump is None:
            try:
                self.stdout.write(f"{index_builder.renew(path)} entities in {path}")
            except SourceUnavailable as error:
                raise CommandError(str(error)) from error
            return
        if not dump.is_file():
            raise CommandError(f"There is no file {dump}.")
        source = f"{dump.name}, {dump.stat().st_size} bytes, at least {least_sitelinks} sitelinks"
        try:
            builder = index_builder.Builder(path, source)
        except index_builder.OtherSource as error:
            raise CommandError(str(error)) from error
        if builder.lines:
            self.stdout.write(f"continuing after line {builder.lines}")
        report = _Report(self.stdout.write)
        try:
            lines = wikidata_json.dump(dump, builder.lines)
            builder.take(
                ((number, one if one and one.popularity >= least_sitelinks else None) for number, one in lines), report
            )
        except (OSError, EOFError) as error:
            raise CommandError(f"{dump} ends or breaks after line {builder.lines}: {error}") from error
        self.stdout.write(f"{builder.lines} lines read; writing the index …")
        self.stdout.write(f"{builder.finish()} entities in {builder.path}")


class _Report:
    """Prints the progress every ten seconds."""

    def __init__(self, write: Any) -> None:
        self._write, self._next, self._began, self._first = write, time.monotonic() + 10, time.monotonic(), 0

    def __call__(self, line: int) -> None:
        self._first = self._first or line
        if time.monotonic() >= self._next:
            rate = (line - self._first) / (time.monotonic() - self._began)
            self._write(f"{line} lines, {rate:.0f} a second")
            self._next = time.monotonic() + 10
