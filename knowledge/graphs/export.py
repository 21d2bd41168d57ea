"""The graph as a file, made from the record: what a rebuilt store would hold. Streamed by ranges of ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any
from uuid import UUID

import pyoxigraph

from extraction.models import Post
from knowledge import ontology
from knowledge.graphs import build, rdf
from knowledge.graphs.parity import key_ranges
from knowledge.graphs.store import Unit
from knowledge.models import Entity, Statement

FORMATS = {"turtle": pyoxigraph.RdfFormat.TURTLE, "nquads": pyoxigraph.RdfFormat.N_QUADS}


def write(to: IO[bytes], form: str) -> int:
    """Writes everything; how many quads. Turtle has no graphs: there each assertion still names its post."""
    count, kind = 0, FORMATS[form]
    for quads in _chunks():
        count += len(quads)
        some: list[Any] = [quad.triple for quad in quads] if form == "turtle" else quads
        prefixes = ontology.PREFIXES if form == "turtle" else None
        to.write(pyoxigraph.serialize(some, format=kind, prefixes=prefixes) or b"")
    return count


def _chunks() -> Iterator[list[pyoxigraph.Quad]]:
    builders: list[tuple[Any, Callable[[list[UUID]], Iterable[Unit]]]] = [
        (Entity, build.entities),
        (Post, build.posts),
    ]
    for model, builder in builders:
        for keys in key_ranges(model):
            yield [quad for unit in builder(keys) for quad in rdf.quads(unit)]
    # Several statements may say one triple: each is written where its first row comes.
    written: set[pyoxigraph.Quad] = set()
    for keys in key_ranges(Statement):
        new = {quad for unit in build.statements(keys) for quad in rdf.quads(unit)} - written
        written |= new
        yield sorted(new, key=str)
