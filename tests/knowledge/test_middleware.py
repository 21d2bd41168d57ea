"""Values that no database stores are refused in one place, and no cache keeps a signed-in person's pages."""

from __future__ import annotations

import pytest
from django.test import Client

from knowledge.models import SavedQuery
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor"))
    return client


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("/feeds/add/", {"address": "http://a\0b.example/"}),
        ("/queries/save/", {"language": "sparql", "title": "a\0", "query": "ASK {}"}),
        ("/queries/save/", {"language": "sparql", "title": "a", "query": "ASK {}\0"}),
        ("/sign-in/", {"username": "a\0", "password": "b"}),
        ("/sign-in/", {"a\0": "b"}),
        ("/queries/save/", {"language": "9" * 5000}),
    ],
)
def test_a_form_with_such_a_value_is_refused(editor: Client, address: str, fields: dict[str, str]) -> None:
    from urllib.parse import urlencode

    answer = editor.post(address, urlencode(fields), content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400


@pytest.mark.parametrize("query", ["after=%00", "q=a%00b", "page=" + "9" * 5000, "%00=1"])
def test_an_address_with_such_a_value_is_refused(editor: Client, query: str) -> None:
    assert editor.get(f"/entities/?{query}").status_code == 400


def test_an_ordinary_long_number_is_looked_for(editor: Client) -> None:
    assert editor.get("/posts/", {"q": "12345678901234567890123"}).status_code in (200, 302, 404)


def test_pages_of_a_signed_in_person_are_not_kept(editor: Client) -> None:
    assert editor.get("/").headers["Cache-Control"] == "private, no-store"
    assert "no-store" in editor.get("/entities/").headers["Cache-Control"]


def test_what_says_how_it_is_kept_stays(editor: Client) -> None:
    assert "max-age" in editor.get("/healthz").headers["Cache-Control"]


def test_private_queries_are_private_in_the_administration(client: Client) -> None:
    for name, shared in (("secret plan", False), ("for all", True)):
        SavedQuery.objects.create(
            by=make_user("viewer", f"v-{shared}"),
            language="sparql",
            title=name,
            text="ASK {}",
            parameters={},
            shared=shared,
        )
    staff = make_user("admin", "ada")
    staff.is_staff = staff.is_superuser = True
    staff.save()
    client.force_login(staff)
    shown = client.get("/admin/knowledge/savedquery/").content.decode()
    assert "for all" in shown and "secret plan" not in shown
