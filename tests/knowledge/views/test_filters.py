"""Filters in an address that cannot be used: the page says so, and lists everything."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_post, make_user
from tests.markup import markup

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/?since=2026-13-45", "From “2026-13-45” was left out: Enter a valid date."),
        ("/?until=yesterday", "Until “yesterday” was left out"),
        ("/?feed=999", "Feed “999” was left out: Select a valid choice."),
        ("/?relation=adores", "Relation “adores” was left out"),
        ("/?state=lost", "State “lost” was left out"),
        ("/?q=" + "x" * 500, "at most 300 characters (it has 500)."),
        ("/entities/?q=" + "x" * 500, "at most 200 characters (it has 500)."),
        ("/entities/?type=dragon", "Type “dragon” was left out"),
    ],
)
def test_a_bad_filter_is_named(client: Client, address: str, sentence: str) -> None:
    client.force_login(make_user("viewer"))
    make_post("Listed all the same")
    response = client.get(address)
    assert sentence in markup(response) and 'role="status"' in markup(response)
    if address.startswith("/?"):
        assert "Listed all the same" in markup(response)


def test_good_filters_are_named_nowhere(client: Client) -> None:
    client.force_login(make_user("viewer"))
    for address in ("/", "/?since=2026-01-01&q=x&state=all", "/entities/", "/entities/?type=person"):
        assert "was left out" not in markup(client.get(address))
