"""Bulk inserts of plain rows into one table: like `bulk_create`, at a fraction of its cost in Python.

Recording writes some hundred rows a post, and Django's own way spends most of the time on turning each value of each
row into an expression. Here a column's values are prepared and put into one INSERT … RETURNING.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Model

PARAMETERS = 20_000  # values in one statement; SQLite takes 32,766, PostgreSQL 65,535


def insert(model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """Insert rows of values of `columns` (names of fields, a foreign key's with `_id`); their ids in order.

    Raises IntegrityError as usual; fields that are not named must have a default in the database or be null.
    """
    if not rows:
        return []
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    fields = [by_name[column] for column in columns]
    by_column = [_prepared(field, values) for field, values in zip(fields, zip(*rows, strict=True), strict=True)]
    prepared = list(zip(*by_column, strict=True))
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    start = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES "  # noqa: S608
    one = f"({', '.join(['%s'] * len(columns))})"
    step, ids = PARAMETERS // len(columns), []
    with connection.cursor() as cursor:
        for first in range(0, len(prepared), step):
            some = prepared[first : first + step]
            sql = f"{start}{', '.join([one] * len(some))} RETURNING id"
            cursor.execute(sql, [value for row in some for value in row])
            ids += [row[0] for row in cursor.fetchall()]
    return ids


def _prepared(field: Any, values: Sequence[Any]) -> list[Any]:
    """The values as the database takes them. Equal values, which most columns have many of, are prepared once."""
    try:
        by_value = {value: field.get_db_prep_save(value, connection) for value in set(values)}
    except TypeError:  # values that have no hash
        return [field.get_db_prep_save(value, connection) for value in values]
    return [by_value[value] for value in values]
