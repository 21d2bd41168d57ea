"""Keyset pagination of the API, so that no row is skipped or repeated while rows are added."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from ninja import Schema

from knowledge.api.problems import RequestProblem
from knowledge.views.pagination import Key

Row = TypeVar("Row", bound=Model)


def page(rows: QuerySet[Row], key: Key, after: str, limit: int) -> tuple[list[Row], str | None]:
    """Up to `limit` rows after the key `after`, and the key of the next page. Raises RequestProblem for a bad key."""
    if after:
        values = key.read(after)
        if values is None:
            raise bad_key()
        rows = rows.filter(key.beyond(values, backward=False))
    taken = list(rows.order_by(*key.order(backward=False))[: limit + 1])
    return taken[:limit], key.write(taken[limit - 1]) if len(taken) > limit else None


def refuse_unknown(request: HttpRequest, filters: type[Schema]) -> None:
    """Raise RequestProblem for an unknown parameter: a mistyped filter would silently return everything."""
    for name in request.GET:
        if name not in filters.model_fields:
            known = ", ".join(filters.model_fields)
            raise RequestProblem(422, f"There is no parameter {name[:60]!r} here. There are {known}.")


def bad_key() -> RequestProblem:
    return RequestProblem(422, "`after` is not a key of this list. Copy it from `next` of the previous page.")
