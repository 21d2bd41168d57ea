"""Permissions of all addresses, so that a new page cannot be public by mistake."""

from __future__ import annotations

import re
import uuid

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern, reverse

from extraction.samples import urls as extraction_urls
from kgbuilder.conf.environment import ROOT
from knowledge import urls as knowledge_urls
from knowledge.views.access import READ
from tests.factories import make_feed, make_post, make_user, read_post
from training import urls as training_urls

pytestmark = pytest.mark.django_db

PUBLIC = {"sign_in", "sample_feed", "sample"}
KEYS = {
    "public_id": uuid.UUID(int=1),
    "feed_id": 1,
    "picture_id": 1,
    "ordinal": 1,
    "post_id": "none",
    "digest": "0" * 16,
    "number": 0,
}
KEYS |= {"dataset_id": 1, "run_id": 1, "checkpoint_id": 1, "evaluation_id": 1, "mention_id": 1}
KEYS["statement_id"] = uuid.UUID(int=2)
PATTERNS: list[URLPattern] = [*knowledge_urls.urlpatterns, *extraction_urls.urlpatterns, *training_urls.urlpatterns]


def address(pattern: URLPattern) -> str:
    names = re.findall(r"<\w+:(\w+)>", str(pattern.pattern))
    return reverse(str(pattern.name), kwargs={name: KEYS[name] for name in names})


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: str(p.name))
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_public_pages_are_open_without_signing_in(client: Client, pattern: URLPattern, method: str) -> None:
    response = getattr(client, method)(address(pattern), headers={"Accept": "text/html"})
    if pattern.name in PUBLIC:
        assert not response.headers.get("Location", "").startswith("/sign-in/?next=")
    else:
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("pattern", knowledge_urls.urlpatterns, ids=lambda p: str(p.name))
def test_an_account_without_a_group_sees_no_page(client: Client, pattern: URLPattern) -> None:
    user = make_user()
    user.groups.clear()
    client.force_login(user)
    response = client.post(address(pattern)) if pattern.name not in ("password",) else None
    if pattern.name not in ("sign_in", "sign_out", "password"):
        assert response is not None
        assert response.status_code == 403
        assert "An admin can change what your account may do" in response.content.decode()


@pytest.mark.parametrize("pattern", training_urls.urlpatterns, ids=lambda p: str(p.name))
@pytest.mark.parametrize("method", ["get", "post"])
def test_training_is_for_admins(client: Client, pattern: URLPattern, method: str) -> None:
    for group in ("viewer", "editor"):
        client.force_login(make_user(group))
        assert getattr(client, method)(address(pattern)).status_code == 403
        assert "/training/" not in client.get("/").content.decode()


def test_public_reading_opens_reading_and_nothing_else(client: Client, settings: object) -> None:
    settings.PUBLIC_READING = True  # type: ignore[attr-defined]
    post = make_post()
    for pattern in knowledge_urls.urlpatterns:
        if pattern.name in PUBLIC | {"password", "sign_out", "sparql", "iri_checkpoint"}:
            continue
        response = client.get(address(pattern))
        open_to_all = getattr(pattern.callback, "permission", None) == READ
        assert (response.status_code in (200, 303, 404)) == open_to_all, pattern.name
    html = client.get(f"/posts/{post.public_id}/").content.decode()
    assert "Accept" not in html
    assert "/feeds/" not in html


@pytest.mark.parametrize(("group", "allowed"), [("viewer", False), ("editor", True), ("admin", True)])
def test_verdicts_and_feeds_are_for_editors(client: Client, group: str, allowed: bool) -> None:
    client.force_login(make_user(group))
    feed, post = make_feed(), make_post()
    for url, data in (
        ("/feeds/add/", {"address": "https://example.org/feed"}),
        (f"/feeds/{feed.pk}/change/", {"do": "pause"}),
        (f"/posts/{post.public_id}/read-again/", {}),
        ("/status/retry/", {"what": "readings"}),
    ):
        assert client.post(url, data).status_code == (302 if allowed else 403), url
    response = client.post(
        f"/posts/{post.public_id}/review/", {"statement": str(uuid.UUID(int=1)), "verdict": "accept"}
    )
    assert response.status_code == (404 if allowed else 403)


@pytest.mark.parametrize(("group", "allowed"), [("viewer", False), ("editor", False), ("admin", True)])
def test_the_samples_are_removed_by_admins(client: Client, group: str, allowed: bool) -> None:
    client.force_login(make_user(group))
    make_feed(sample=True)
    assert client.post("/feeds/samples/remove/").status_code == (302 if allowed else 403)


def test_groups_have_their_permissions() -> None:
    granted = {
        group.name: {
            f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
        }
        for group in Group.objects.all()
    }
    assert granted["viewer"] < granted["editor"] < granted["admin"]
    own = {"knowledge.add_savedquery", "kgbuilder.add_apitoken"}
    assert all(name.split(".")[1].startswith("view_") for name in granted["viewer"] - own)
    assert "knowledge.ask_cypher" in granted["editor"] - granted["viewer"]
    assert not any("auth." in name for name in granted["editor"])
    assert "auth.change_user" in granted["admin"]


def test_forms_need_the_csrf_token() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("editor"))
    response = strict.post("/feeds/add/", {"address": "https://example.org/feed"})
    assert response.status_code == 403
    assert "This page expired" in response.content.decode()


def test_signing_in_and_out(client: Client) -> None:
    make_user("viewer", "vera")
    page = client.get("/entities/", follow=True)
    assert page.redirect_chain[-1][0] == "/sign-in/?next=/entities/"
    wrong = client.post("/sign-in/?next=/entities/", {"username": "vera", "password": "no"})
    assert 'role="alert"' in wrong.content.decode()
    right = client.post("/sign-in/?next=/entities/", {"username": "vera", "password": "correct horse battery"})
    assert right.headers["Location"] == "/entities/"
    assert client.get("/sign-out/").status_code == 405
    client.post("/sign-out/")
    assert client.get("/entities/").status_code == 302


def test_signing_in_leads_to_no_other_site(client: Client) -> None:
    make_user("viewer", "vera")
    data = {"username": "vera", "password": "correct horse battery", "next": "https://elsewhere.example/"}
    assert client.post("/sign-in/", data).headers["Location"] == "/"


def test_every_answer_has_a_policy_without_inline_script(client: Client) -> None:
    client.force_login(make_user("admin"))
    post = make_post()
    read_post(post)
    for url in ("/", f"/posts/{post.public_id}/", "/feeds/", "/status/", "/nowhere/", "/sparql/"):
        policy = client.get(url).headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy, url
        assert "script-src" not in policy, url
        assert ("unsafe-inline" in policy) == (url == "/sparql/"), url


def test_no_template_carries_script_or_style_or_other_hosts() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
        assert not re.search(r"\son\w+=", text), path
        if path.parent.name != "samples" and path.name != "500.html":
            assert not re.search(r"<style|\sstyle=", text), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text), path


def test_missing_pages_and_methods_show_a_message(client: Client) -> None:
    client.force_login(make_user())
    response = client.get(f"/posts/{uuid.UUID(int=9)}/")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()
    assert client.get("/feeds/add/").status_code in (403, 405)


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (ZeroDivisionError(), 500, "Something went wrong on our side"),
        (OperationalError("database is locked"), 503, "No data is lost. Reload the page"),
    ],
)
def test_an_error_page_says_what_to_do(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, sentence: str
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise error

    client.force_login(make_user())
    client.raise_request_exception = False
    monkeypatch.setattr("knowledge.views.posts.index.filtered", broken)
    response = client.get("/")
    assert response.status_code == status
    assert sentence in response.content.decode()
    assert ("Retry-After" in response.headers) == (status == 503)
