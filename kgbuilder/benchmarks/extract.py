"""How much of the time from claimed posts to a projected graph the bare encoder would take.

The posts are read as the product reads them: claimed in batches, read, recorded, projected into the bundled server,
one after the other in one process. After each batch the encoder alone goes over the same batches of sentences, so that
whatever else the machine does at the time slows both. Nothing is fetched.
"""

from __future__ import annotations

import hashlib
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from extraction.models import Deployment, Post, PostVersion, Reading
from extraction.readings import model_registry
from extraction.readings import queue as readings_queue
from extraction.schema import Document
from kgbuilder.benchmarks import NotMeasured
from kgbuilder.benchmarks.server import serving
from kgbuilder.install.scratch_database import scratch_database
from knowledge.graphs import projector
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.recording import recorder

if TYPE_CHECKING:
    from extraction.reader.reader import Reader

HELP = "the bare encoder's share of the time from claim to graph"
BATCH = 16  # posts claimed at once, as the queue `read` does
PARTS = ("claim", "parse", "features", "encode", "head", "decode", "rest of reading", "record", "project")


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint's folder; by default the setting's")
    parser.add_argument("--posts", type=int, default=96, help="how many posts, the texts over and over")
    parser.add_argument("--texts", type=Path, help="a folder of .txt files, first line the title; else the samples")
    parser.add_argument("--threads", type=int, default=2, help="the network's threads")


def run(options: Mapping[str, Any], write: Callable[[str], object], note: Callable[[str], object]) -> None:
    from extraction.readings.model_registry import NoCheckpoint
    from extraction.readings.reader_from_settings import ComponentMissing

    checkpoint, threads = options["checkpoint"] or settings.CHECKPOINT, options["threads"]
    try:
        shares = measure(checkpoint, _texts(options["texts"]), options["posts"], threads)
    except (ComponentMissing, NoCheckpoint) as error:
        raise NotMeasured(str(error)) from error
    each = 1000 / shares.sentences
    counts = f"{shares.posts} posts, {shares.sentences} sentences, {shares.assertions} assertions"
    write(f"{counts}; fp32, {threads} threads")
    for part in [*PARTS, *sorted(shares.seconds.keys() - set(PARTS))]:
        seconds = shares.seconds[part]
        write(f"{part:>16}: {seconds:8.2f} s  {seconds * each:7.2f} ms a sentence")
    write(f"{'all':>16}: {shares.total:8.2f} s  {shares.total * each:7.2f} ms a sentence")
    write(f"{'bare encoder':>16}: {shares.encoder:8.2f} s  {shares.encoder * each:7.2f} ms a sentence")
    write(f"ratio: {shares.ratio:.2f}")


def _texts(folder: Path | None) -> list[tuple[str, str]]:
    """(title, body) of each text."""
    if folder is None:
        from extraction.samples import load_posts

        return [(post.title, "\n\n".join(post.paragraphs)) for post in load_posts()]
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise NotMeasured(f"There are no .txt files in {folder}.")
    parts = [file.read_text(encoding="utf-8").partition("\n") for file in files]
    return [(title.strip(), body.strip()) for title, _, body in parts]


@dataclass(slots=True)
class Shares:
    """Seconds by part, and of the bare encoder over the same batches."""

    encoder: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    posts: int = 0
    sentences: int = 0
    assertions: int = 0

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @property
    def ratio(self) -> float:
        return self.encoder / self.total


def measure(checkpoint: Path, texts: Sequence[tuple[str, str]], posts: int, threads: int) -> Shares:
    """Reads `posts` posts, made of the (title, body) texts over and over, on a database and a server of their own.

    Raises NoCheckpoint or ComponentMissing.
    """
    import torch

    from extraction.readings.reader_from_settings import load

    torch.set_num_threads(threads)
    reader = load(checkpoint)
    shares = Shares(posts=posts)
    with scratch_database("bench"), serving() as store:
        prepare(checkpoint, texts, posts + BATCH)
        # What happens once in a process's life is not measured.
        _batch(reader, store, Shares())
        while _batch(reader, store, shares):
            pass
    return shares


def _batch(reader: Reader, store: SparqlStore, shares: Shares) -> bool:
    """One batch from the claim to the graph, then the encoder over the same sentences; False where none was due."""
    reader.seconds.clear()
    clock = _Clock(shares.seconds)
    claims = readings_queue.claim("bench", BATCH)
    clock.lap("claim")
    if not claims:
        return False
    documents = [claimed.document for claimed in claims]
    found = reader.read(documents)
    clock.lap("rest of reading")
    if recorder.record_many(list(zip(claims, found, strict=True))) != [True] * len(claims):
        raise RuntimeError("A post was not recorded although nobody else was at work.")
    clock.lap("record")
    if projector.run("rdf", opened=store).failed:
        raise RuntimeError("The graph refused an update; `check_parity` names it.")
    clock.lap("project")
    for part, seconds in reader.seconds.items():
        shares.seconds[part] += seconds
        shares.seconds["rest of reading"] -= seconds
    shares.assertions += sum(len(extraction.relations) for extraction in found)
    _bare(reader, documents, shares)
    return True


def _bare(reader: Reader, documents: Sequence[Document], shares: Shares) -> None:
    """The encoder's forward passes alone; making the batches again is not counted."""
    batches = reader.batches(documents)
    shares.sentences += sum(len(batch.first) for batch in batches)
    began = time.perf_counter()
    reader.encode_only(batches)
    shares.encoder += time.perf_counter() - began


class _Clock:
    """Adds the time since the last lap to a part."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._last = seconds, time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self._seconds[part] += now - self._last
        self._last = now


def prepare(checkpoint: Path, texts: Sequence[tuple[str, str]], posts: int) -> None:
    deployed = model_registry.register(checkpoint)
    Deployment.objects.create(checkpoint=deployed)
    now = timezone.now()
    for number in range(posts):
        title, body = texts[number % len(texts)]
        text = f"{title}\n\n{body}"
        post = Post.objects.create(link=f"https://news.example/{number}", published_at=now, seen_at=now)
        post.current_version = PostVersion.objects.create(
            post=post,
            ordinal=1,
            text=text,
            title_end=len(title),
            language="en",
            text_hash=hashlib.sha256(text.encode()).hexdigest(),
            fetched_at=now,
        )
        post.save(update_fields=["current_version"])
        Reading.objects.create(version=post.current_version, checkpoint=deployed, due_at=now)
