"""Measures the product on this machine."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Measure: graph (replacing posts in a small and a large store), extract (from claimed posts to the graph)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True)
        graph = kinds.add_parser("graph", help="posts a second replaced in the bundled server, large against small")
        graph.add_argument("--quads", type=int, default=1_000_000, help="the large store's size")
        graph.add_argument("--rounds", type=int, default=7, help="measurements of each store, by turns")
        extract = kinds.add_parser("extract", help="the bare encoder's share of the time from claim to graph")
        extract.add_argument("--checkpoint", type=Path, help="a checkpoint's folder; by default the setting's")
        extract.add_argument("--posts", type=int, default=96, help="how many posts, the texts over and over")
        extract.add_argument(
            "--texts", type=Path, help="a folder of .txt files, first line the title; else the samples"
        )
        extract.add_argument("--threads", type=int, default=2, help="the network's threads")

    def handle(self, *args: Any, kind: str, **options: Any) -> None:
        if kind == "graph":
            self._graph(**options)
        else:
            self._extract(**options)

    def _graph(self, *, quads: int, rounds: int, **options: Any) -> None:
        from kgbuilder.benchmarks import graph

        rates = graph.measure(quads, rounds, self.stderr.write)
        self.stdout.write(f"small store: {rates.empty:.1f} posts/s (median of {rates.rounds} rounds)")
        self.stdout.write(f"store of {rates.quads} quads: {rates.full:.1f} posts/s")
        self.stdout.write(f"ratio: {rates.ratio:.2f}")

    def _extract(
        self, *, checkpoint: Path | None, posts: int, texts: Path | None, threads: int, **options: Any
    ) -> None:
        from extraction.chosen_reader import PartMissing
        from extraction.registry import NoCheckpoint
        from kgbuilder.benchmarks import extract

        try:
            shares = extract.measure(checkpoint or settings.CHECKPOINT, _texts(texts), posts, threads)
        except (PartMissing, NoCheckpoint) as error:
            raise CommandError(str(error)) from error
        each = 1000 / shares.sentences
        counts = f"{shares.posts} posts, {shares.sentences} sentences, {shares.assertions} assertions"
        self.stdout.write(f"{counts}; fp32, {threads} threads")
        for part in [*extract.PARTS, *sorted(shares.seconds.keys() - set(extract.PARTS))]:
            seconds = shares.seconds[part]
            self.stdout.write(f"{part:>16}: {seconds:8.2f} s  {seconds * each:7.2f} ms a sentence")
        self.stdout.write(f"{'all':>16}: {shares.total:8.2f} s  {shares.total * each:7.2f} ms a sentence")
        self.stdout.write(f"{'bare encoder':>16}: {shares.encoder:8.2f} s  {shares.encoder * each:7.2f} ms a sentence")
        self.stdout.write(f"ratio: {shares.ratio:.2f}")


def _texts(folder: Path | None) -> list[tuple[str, str]]:
    """(title, body) of each text."""
    if folder is None:
        from extraction.samples import load_posts

        return [(post.title, "\n\n".join(post.paragraphs)) for post in load_posts()]
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise CommandError(f"There are no .txt files in {folder}.")
    parts = [file.read_text(encoding="utf-8").partition("\n") for file in files]
    return [(title.strip(), body.strip()) for title, _, body in parts]
