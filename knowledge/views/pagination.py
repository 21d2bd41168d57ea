"""Keyset pagination: a page starts after (or ends before) the key of a row, whatever rows have been added since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

Row = TypeVar("Row", bound=Model)

SIZE = 25
_SEPARATOR = "~"


@dataclass(frozen=True)
class Key:
    """The order of a list: fields that together are unique, all ascending or all descending."""

    fields: tuple[str, ...]
    descending: bool
    parse: tuple[Callable[[str], Any], ...]

    def order(self, backward: bool) -> list[str]:
        return [f"-{field}" if self.descending != backward else field for field in self.fields]

    def beyond(self, values: Sequence[Any], backward: bool) -> Q:
        """The condition for rows after `values` in the list, or before them if `backward`."""
        comparison = "lt" if self.descending != backward else "gt"
        condition = Q()
        for i, field in enumerate(self.fields):
            equal = {earlier: values[j] for j, earlier in enumerate(self.fields[:i])}
            condition |= Q(**equal, **{f"{field}__{comparison}": values[i]})
        return condition

    def write(self, row: Model) -> str:
        values = [getattr(row, field) for field in self.fields]
        return _SEPARATOR.join(v.isoformat() if hasattr(v, "isoformat") else str(v) for v in values)

    def read(self, text: str) -> list[Any] | None:
        """The values of a key; None, which shows the first page, if the text is not a key of this list."""
        parts = text.rsplit(_SEPARATOR, len(self.fields) - 1)
        if not text or len(parts) != len(self.fields):
            return None
        try:
            return [parse(part) for parse, part in zip(self.parse, parts, strict=True)]
        except (ValueError, ValidationError):
            return None


@dataclass(frozen=True)
class Page(Generic[Row]):
    rows: list[Row]
    newer: str
    """The query string of the page before this one; empty at the start."""
    older: str


def page(rows: QuerySet[Row], key: Key, query: QueryDict, size: int = SIZE) -> Page[Row]:
    """One page of `rows`, for `after=KEY` or `before=KEY` in `query`, without a count and without an offset."""
    before, after = key.read(query.get("before", "")), key.read(query.get("after", ""))
    if before:
        taken = _take(rows.filter(key.beyond(before, backward=True)), key, size, backward=True)
        if len(taken) > size:
            return _page(taken[1:], key, query, newer=True, older=True)
        # Less than a page precedes: show the first page, so that it is always full.
        return _page_from(_take(rows, key, size), size, key, query, newer=False)
    if after:
        return _page_from(
            _take(rows.filter(key.beyond(after, backward=False)), key, size), size, key, query, newer=True
        )
    return _page_from(_take(rows, key, size), size, key, query, newer=False)


def _take(rows: QuerySet[Row], key: Key, size: int, backward: bool = False) -> list[Row]:
    """The first (last) rows in the order of the list, and one more, which shows whether there are others."""
    taken = list(rows.order_by(*key.order(backward))[: size + 1])
    return taken[::-1] if backward else taken


def _page_from(taken: list[Row], size: int, key: Key, query: QueryDict, newer: bool) -> Page[Row]:
    return _page(taken[:size], key, query, newer=newer, older=len(taken) > size)


def _page(rows: list[Row], key: Key, query: QueryDict, newer: bool, older: bool) -> Page[Row]:
    return Page(
        rows,
        _address(query, "before", key.write(rows[0])) if rows and newer else "",
        _address(query, "after", key.write(rows[-1])) if rows and older else "",
    )


def _address(query: QueryDict, name: str, key: str) -> str:
    parameters = query.copy()
    parameters.pop("before", None)
    parameters.pop("after", None)
    parameters[name] = key
    return parameters.urlencode()
