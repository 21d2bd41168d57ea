"""Analyse one text, or many: prints mentions and quintuples, without any service or database."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from extraction.reader import result_format
from extraction.readings import inputs, reader_from_settings
from extraction.schema import Extraction

if TYPE_CHECKING:
    from extraction.reader.reader import Reader

FAILED_INPUTS, WRONG_USE, COMPONENT_MISSING, INTERRUPTED, PIPE_CLOSED = 1, 2, 3, 130, 141
BATCH = 32  # inputs read together
BATCH_CHARACTERS = 200_000


class Command(BaseCommand):
    help = (
        "Analyses a text and prints its mentions and quintuples. Exit status: 0 every input was analysed or declined, "
        "1 some could not be fetched or parsed, 2 wrong use, 3 a component (checkpoint, parser) is missing."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("text", nargs="?", metavar="TEXT", help="the text itself")
        source.add_argument("--file", metavar="F", help="a text file in UTF-8; - for standard input")
        source.add_argument("--url", help="a page with an article")
        source.add_argument(
            "--jsonl", metavar="FILE", help="lines {id, text, title?, published?}; - for standard input"
        )
        parser.add_argument(
            "--image",
            metavar="FILE",
            action="append",
            default=[],
            help="a picture of the text or --file; may be repeated",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object a line, in the order of the input")
        parser.add_argument("--checkpoint", metavar="DIR", help="another checkpoint than the setting's (CHECKPOINT)")

    def handle(self, *args: Any, **options: Any) -> None:
        self._write_utf8(strict=options["json"])
        try:
            code = self._read(options)
        except BrokenPipeError:
            # The reader of our output has gone. The rest of the buffer would fail again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(PIPE_CLOSED)
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
            sys.exit(INTERRUPTED)
        if code:
            sys.exit(code)

    def _write_utf8(self, strict: bool) -> None:
        """JSON is UTF-8 whatever the locale; a table shows `?` for characters that the terminal cannot show."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            if strict:
                sys.stdout.reconfigure(encoding="utf-8")
            else:
                sys.stdout.reconfigure(errors="replace")

    def _read(self, options: dict[str, Any]) -> int:
        with _source(options) as items, _pictures(options, self.stderr.write) as pictured:
            reader = _reader(options["checkpoint"])
            thresholds = reader_from_settings.thresholds(reader)
            with_facts = _facts(reader)
            failures = 0
            for batch in _batches(items):
                for extraction, failed in _extractions(reader, [with_facts(pictured(item)) for item in batch]):
                    failures += failed
                    self._print(extraction, reader, thresholds, options)
                self.stdout.flush()
        return FAILED_INPUTS if failures else 0

    def _print(
        self, extraction: Extraction, reader: Reader, thresholds: dict[str, float], options: dict[str, Any]
    ) -> None:
        if options["json"]:
            row = result_format.as_json(extraction, reader.name, thresholds, pictured=bool(options["image"]))
            self.stdout.write(json.dumps(row, ensure_ascii=False))
        else:
            self.stdout.write("\n".join((*result_format.as_table(extraction, thresholds), "")))


def _wrong_use(message: str) -> NoReturn:
    raise CommandError(message, returncode=WRONG_USE)


@contextmanager
def _source(options: dict[str, Any]) -> Iterator[Iterable[inputs.Input]]:
    """The requested inputs, read lazily. Ends with exit status 2 where a file cannot be opened."""
    if options["url"] is not None:
        yield (inputs.from_url(url) for url in [options["url"]])
    elif options["text"] is not None:
        yield [inputs.from_text("1", options["text"])]
    elif options["file"] is not None:
        with _opened(options["file"]) as stream:
            content = stream.read()
        yield [inputs.from_bytes("1" if options["file"] == "-" else options["file"], content)]
    else:
        with _opened(options["jsonl"]) as stream:
            yield inputs.from_jsonl(stream)


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115
    except OSError as error:
        _wrong_use(f"{name} cannot be opened ({error.strerror}).")
    with stream:
        yield stream


@contextmanager
def _pictures(
    options: dict[str, Any], report: Callable[[str], Any]
) -> Iterator[Callable[[inputs.Input], inputs.Input]]:
    """A function that adds the requested pictures to an input. `report` gets the problems; the text is analysed
    anyway."""
    if not options["image"]:
        yield lambda item: item
        return
    if options["url"] is not None or options["jsonl"] is not None:
        _wrong_use("--image goes with a TEXT or --file: an article page's own pictures are used for posts only.")
    from extraction.readings import local_images

    with tempfile.TemporaryDirectory(prefix="kgbuilder-read-") as folder:
        try:
            images = local_images.analyse([Path(name) for name in options["image"]], Path(folder), report)
        except OSError as error:
            _wrong_use(f"{error.filename} cannot be opened ({error.strerror}).")
        yield images.added_to


def _facts(reader: Reader) -> Callable[[inputs.Input], inputs.Input]:
    """A function that adds the facts of the local index to an input, for a reader that takes them: as the link queue
    does for posts, without the record."""
    if not getattr(reader, "takes_facts", False):  # a reader named by EXTRACTOR need not have the attribute
        return lambda item: item
    from knowledge.linking import fact_queue, linker_from_settings

    local = linker_from_settings.local()

    def with_facts(item: inputs.Input) -> inputs.Input:
        if item.document is None or local is None:
            return item
        facts = fact_queue.facts_of(item.document.text, local)
        return replace(item, document=replace(item.document, facts=facts))

    return with_facts


def _reader(folder: str | None) -> Reader:
    try:
        return reader_from_settings.load(folder)
    except reader_from_settings.ComponentMissing as error:
        raise CommandError(str(error), returncode=COMPONENT_MISSING) from error


def _batches(items: Iterable[inputs.Input]) -> Iterator[list[inputs.Input]]:
    batch: list[inputs.Input] = []
    characters = 0
    for item in items:
        batch.append(item)
        characters += len(item.document.text) if item.document else 0
        if len(batch) == BATCH or characters > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _extractions(reader: Reader, batch: list[inputs.Input]) -> Iterator[tuple[Extraction, bool]]:
    """Each input's extraction in order, and whether it could not be fetched or parsed."""
    extractions = iter(reader.read([item.document for item in batch if item.document]))
    for item in batch:
        if item.document:
            extraction = _with_regions(next(extractions), item)
            yield extraction, extraction.declined is not None and extraction.declined.code == "failed"
        else:
            yield Extraction(id=item.id, text="", declined=item.problem), True


def _with_regions(extraction: Extraction, item: inputs.Input) -> Extraction:
    """The extraction with the pictures' regions, also where the reader takes none, and with the missing inputs."""
    assert item.document is not None
    missing = tuple(dict.fromkeys((*extraction.missing, *item.missing)))
    return replace(extraction, regions=item.document.regions, scene=item.document.scene, missing=missing)
