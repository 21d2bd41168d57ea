"""A worker that dies as by kill -9 at the point that DEATH names. Run as a module by the tests of the graph."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django


def die(*_: object, **__: object) -> None:
    os._exit(9)


def before(owner: Any, name: str) -> None:
    setattr(owner, name, die)


def after(owner: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def then_die(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        die()

    setattr(owner, name, then_die)


def main(death: str) -> None:
    from django.conf import settings
    from django.db import connection, transaction

    connection.settings_dict["NAME"] = os.environ["DATABASE_NAME"]
    settings.SPARQL_SOCKET = Path(os.environ["SOCKET"])

    from extraction.readings import queue as readings_queue
    from knowledge.graphs import projector
    from knowledge.graphs.rdf import sparql_store
    from knowledge.models import Statement
    from knowledge.record import projection_queue
    from knowledge.recording import recorder
    from tests import deterministic

    deaths: dict[str, Callable[[], None]] = {
        "claimed": lambda: before(recorder, "record_many"),
        "entities": lambda: before(recorder, "_mentions"),
        "mentions": lambda: before(Statement.objects, "bulk_create"),
        "before current": lambda: before(recorder, "_make_current"),
        "marked": lambda: after(recorder, "_make_current"),
        "recorded": lambda: after(recorder, "_write_all"),
        "before replace": lambda: before(sparql_store.SparqlStore, "replace"),
        "replaced": lambda: after(sparql_store.SparqlStore, "replace"),
        "half marked done": lambda: setattr(projector, "_mark_done", half),
        "projected": lambda: after(projector, "_mark_done"),
    }

    def half(rows: list[Any]) -> None:
        with transaction.atomic():
            projection_queue.Projection.objects.filter(pk=rows[0].pk).update(done=rows[0].wanted)
            die()

    if death:
        deaths[death]()
    claims = readings_queue.claim("worker", 10)
    found = deterministic.Extractor().read([claimed.document for claimed in claims])
    recorder.record_many(list(zip(claims, found, strict=True)))
    projector.run("rdf")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    main(os.environ["DEATH"])
