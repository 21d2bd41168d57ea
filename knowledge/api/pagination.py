"""Pages of lists for programs: by key, so that nothing is passed over or given twice while rows are added."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from ninja import Schema

from knowledge.api.problems import RequestProblem
from knowledge.views.pagination import Key

Row = TypeVar("Row", bound=Model)


def page(rows: QuerySet[Row], key: Key, after: str, limit: int) -> tuple[list[Row], str | None]:
    """At most `limit` rows after the key `after`, and the key to go on with. Raises RequestProblem for a bad one."""
    if after:
        values = key.read(after)
        if values is None:
            raise bad_key()
        rows = rows.filter(key.beyond(values, backward=False))
    found = list(rows.order_by(*key.order(backward=False))[: limit + 1])
    return found[:limit], key.write(found[limit - 1]) if len(found) > limit else None


def refuse_unknown(request: HttpRequest, wanted: type[Schema]) -> None:
    """A filter whose name is mistyped would give everything, silently. Raises RequestProblem."""
    for name in request.GET:
        if name not in wanted.model_fields:
            known = ", ".join(wanted.model_fields)
            raise RequestProblem(422, f"There is no parameter {name[:60]!r} here. There are {known}.")


def bad_key() -> RequestProblem:
    return RequestProblem(422, "`after` is not a key of this list. Copy it from `next` of the previous page.")
