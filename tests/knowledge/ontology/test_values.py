"""Times as values: their shortest form, and what a row of the record stands for."""

from __future__ import annotations

from datetime import date

import pytest

from knowledge.ontology import values
from knowledge.ontology.values import Value

FIRST = date(2016, 2, 1)


@pytest.mark.parametrize(
    ("earliest", "latest", "text"),
    [
        (FIRST, FIRST, "2016-02-01"),
        (FIRST, date(2016, 2, 29), "2016-02"),
        (date(2016, 1, 1), date(2016, 12, 31), "2016"),
        (FIRST, date(2016, 2, 7), "2016-02-01/2016-02-07"),
        (FIRST, None, "2016-02-01/.."),
        (None, FIRST, "../2016-02-01"),
        (None, None, ""),
    ],
)
def test_an_interval_has_one_shortest_form(earliest: date | None, latest: date | None, text: str) -> None:
    assert values.interval(earliest, latest) == text


@pytest.mark.parametrize(
    ("kind", "key", "label", "value"),
    [
        ("time", "2016-02-01|time", "2016-02-01", Value("2016-02-01", "date")),
        ("time", "2016-02|time", "2016-02", Value("2016-02", "gYearMonth")),
        ("time", "2016|time", "2016", Value("2016", "gYear")),
        ("time", "2016-02-31|time", "2016-02-31", Value("2016-02-31")),
        ("time", "monday|time@post:1", "Monday", Value("Monday")),
        ("time", "2016|time@post:1", "2016", Value("2016")),
        ("number", "2016|number", "2016", Value("2016")),
    ],
)
def test_a_row_stands_for_a_date_only_where_its_key_is_one(kind: str, key: str, label: str, value: Value) -> None:
    assert values.value(kind, key, label) == value


def test_relations_to_values_alone_are_known() -> None:
    assert {"date_of_birth", "point_in_time", "unemployment_rate"} <= values.VALUED
    assert not {"follows", "spouse"} & values.VALUED
