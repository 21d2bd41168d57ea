"""Every address of the product, requested with each role and signed out: access, database writes and headers."""

from __future__ import annotations

import inspect
import re
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from extraction.models import Checkpoint, Feed, Post, PostImage
from kgbuilder.accounts import api_tokens
from kgbuilder.conf.encrypted_field import seal
from kgbuilder.models import ApiToken
from knowledge.models import (
    Assertion,
    Depiction,
    Entity,
    EntityEdit,
    Event,
    Mention,
    Merge,
    SavedQuery,
    Split,
    Statement,
)
from tests.factories import PASSWORD, make_post, make_user
from tests.newsroom import open_newsroom

pytestmark = pytest.mark.django_db

PUBLIC = {"sign_in", "sample_feed", "sample", "healthz", "readyz", "metrics"}
ADMIN_PUBLIC = {"admin:login", "admin:logout"}
# Consoles whose editors set styles on their own elements.
STYLED = {"sparql", "cypher"}
# These accept a POST and change nothing that an event would record.
ASK = {"sign_in", "sign_out", "sparql", "cypher", "feed_find"}
NOTHING: dict[str, Any] = {"uuid": uuid.UUID(int=7), "int": 7, "slug": "none", "str": "none", "path": "none", "": 7}
NOTHING["uuidstr"] = NOTHING["uuid"]
ROLES = ("viewer", "editor", "admin")


def routes(resolver: URLResolver | None = None, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, f"{pattern.namespace}:" if pattern.namespace else namespace)
        else:
            yield f"{namespace}{pattern.name}" if pattern.name else "", pattern


NAMED = {name: pattern for name, pattern in routes() if name}
# The API accepts tokens alone: tests/knowledge/api/test_api.py walks its operations with each scope.
API = {name: pattern for name, pattern in NAMED.items() if getattr(pattern.callback, "api", False)}
OPEN_API = {"api_openapi_json", "api_root", "api_nothing"}
PAGES = {name: pattern for name, pattern in NAMED.items() if not name.startswith("admin:") and name not in API}


class Walker(Client):
    """Read each response completely: the file of a picture stays open until it has been sent."""

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        if response.streaming:
            response.getvalue()
        return response


@pytest.fixture
def client() -> Client:
    return Walker()


@pytest.fixture
def things() -> dict[str, Any]:
    """A newsroom, and values for the parameters of addresses that lead to existing objects."""
    posts = open_newsroom()
    moon = posts["moon"]
    keys: dict[str, Any] = {
        "public_id": moon.public_id,
        "feed_id": Feed.objects.order_by("pk")[0].pk,
        "picture_id": PostImage.objects.get().pk,
        "post_id": "apollo",
        "digest": Checkpoint.objects.get().digest,
        "statement_id": Statement.objects.filter(assertions__reading=moon.current_reading_id)[0].public_id,
        "mention_id": Mention.objects.filter(reading=moon.current_reading_id).order_by("pk")[0].pk,
    }
    return {"posts": posts, "keys": keys}


def address(name: str, pattern: URLPattern, keys: dict[str, Any]) -> str:
    """The address of the route; for parameters that are not in `keys`, of an object that does not exist."""
    if name == "api_nothing":
        return reverse(name, args=["nowhere/at/all"])
    parameters = re.findall(r"<(\w+):(\w+)>", str(pattern.pattern))
    # The converter of the API; elsewhere a parameter name always means the same kind of object.
    own = {key: keys["public_id"] for kind, key in parameters if kind == "uuidstr"}
    given = {key: keys.get(key, NOTHING[kind]) for kind, key in parameters} | own
    if "public_id" in given:
        if "entit" in str(pattern.pattern) or "merge" in str(pattern.pattern):
            given["public_id"] = Entity.objects.order_by("pk")[0].public_id
        if "assertion" in name:
            given["public_id"] = Assertion.objects.order_by("pk")[0].public_id
    return reverse(name, kwargs=given)


def admin_address(name: str, pattern: URLPattern) -> str:
    """`path()` names its parameters; the lists' regular expressions have groups."""
    route = str(pattern.pattern)
    if name == "admin:app_list":
        return reverse(name, args=["extraction"])
    kinds = re.findall(r"<(?:(\w+):)?\w+>", route)
    if kinds:
        return reverse(name, args=[NOTHING.get(kind, 1) for kind in kinds])
    return reverse(name)


def any_address(name: str, pattern: URLPattern, things: dict[str, Any]) -> str:
    return admin_address(name, pattern) if name.startswith("admin:") else address(name, pattern, things["keys"])


def staff() -> User:
    user = make_user("admin")
    user.is_staff = user.is_superuser = True
    user.save()
    return user


def test_only_public_pages_are_open_without_signing_in(client: Client, things: dict[str, Any]) -> None:
    for name, pattern in PAGES.items():
        url = address(name, pattern, things["keys"])
        for method in (client.get, client.post, client.put, client.delete):
            response = method(url, headers={"Accept": "text/html"})
            if name in PUBLIC:
                assert not response.headers.get("Location", "").startswith("/sign-in/?"), name
            else:
                assert response.status_code == 302 and response.headers["Location"].startswith("/sign-in/"), name
    assert client.get(reverse("metrics")).status_code == 404


def test_the_api_ignores_sessions_and_requires_a_token(client: Client, things: dict[str, Any]) -> None:
    """Also of people who have signed in, so the API needs no CSRF token."""
    for user in (None, staff()):
        if user:
            client.force_login(user)
        for name, pattern in API.items():
            url = address(name, pattern, things["keys"])
            for method in (client.get, client.post, client.put, client.delete):
                response = method(url)
                if name in OPEN_API:
                    assert response.status_code in (200, 404, 405), name
                else:
                    assert response.status_code in (401, 405), name
                if response.status_code >= 400:
                    assert response.headers["Content-Type"] == "application/problem+json", name
    assert len(API) > 15


def test_the_administration_is_for_staff(client: Client) -> None:
    for user in (None, make_user("viewer"), make_user("editor")):
        if user:
            client.force_login(user)
        for name, pattern in NAMED.items():
            if not name.startswith("admin:") or name in ADMIN_PUBLIC:
                continue
            response = client.get(admin_address(name, pattern))
            assert response.status_code in (302, 403), name
            if response.status_code == 302:
                assert response.headers["Location"].startswith(("/admin/login/", "/sign-in/")), name


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_access_by_its_permissions(client: Client, role: str, things: dict[str, Any]) -> None:
    user = make_user(role)
    client.force_login(user)
    for name, pattern in PAGES.items():
        permission = getattr(pattern.callback, "permission", None)
        if permission is None:
            assert name in PUBLIC | {"sign_out", "password"}, f"{name} names no permission: decorate it with page()"
            continue
        url = address(name, pattern, things["keys"])
        for method in (client.get, client.post):
            refused = method(url).status_code == 403
            assert refused != user.has_perm(permission), f"{name} as {role}"


def test_no_post_is_accepted_without_the_csrf_token(things: dict[str, Any]) -> None:
    """For every address, whatever it would do with the request."""
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff())
    for name, pattern in NAMED.items():
        if name not in API:
            url = any_address(name, pattern, things)
            assert strict.post(url, {"query": "ASK {}", "what": "posts"}).status_code == 403, name
    exempt = {name for name, pattern in routes() if getattr(pattern.callback, "csrf_exempt", False)}
    assert exempt == set(API)


def test_get_requests_change_nothing(client: Client, things: dict[str, Any]) -> None:
    client.force_login(staff())
    for name, pattern in NAMED.items():
        url = any_address(name, pattern, things)
        if name in ("sign_out", "admin:logout"):
            continue
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(url)
        assert _writes(queries) == [], name


def _writes(queries: CaptureQueriesContext) -> list[str]:
    """The statements that write to the database, except to the session of the user."""
    statements = [query["sql"] for query in queries.captured_queries]
    return [
        sql for sql in statements if re.match(r"(INSERT|UPDATE|DELETE|REPLACE)", sql) and "django_session" not in sql
    ]


def test_every_response_has_a_content_security_policy(client: Client, things: dict[str, Any]) -> None:
    client.force_login(staff())
    for name, pattern in [*NAMED.items(), ("nowhere", None)]:
        if name in ("sign_out", "admin:logout"):
            continue
        url = "/nowhere/" if pattern is None else any_address(name, pattern, things)
        response = client.get(url)
        policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'self'", name
        assert policy["frame-ancestors"] == "'none'", name
        assert policy["object-src"] == policy["base-uri"] == "'none'", name
        assert "script-src" not in policy, name
        assert ("unsafe-inline" in str(policy)) <= (name in STYLED), name
        assert response.headers["X-Content-Type-Options"] == "nosniff", name
        assert response.headers["Referrer-Policy"] == "same-origin", name
        assert response.headers["X-Frame-Options"] == "DENY", name
        if "text/html" in response.headers.get("Content-Type", "") and not response.streaming:
            assert_safe_html(name, response.content.decode())


CLOCKS = {"status"}  # pages that show the time, to the second


def test_every_address_that_takes_get_takes_head_and_answers_304(things: dict[str, Any]) -> None:
    """HEAD has the status and the headers of GET without its body; who has an answer's ETag gets no second copy."""
    client, user = Walker(), staff()
    _, token = api_tokens.make(user, "every route", list(api_tokens.SCOPES))
    whole = 0
    for name, pattern in NAMED.items():
        url = any_address(name, pattern, things)
        client.force_login(user)
        given: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}} if name in API else {}
        client.get(url, **given)  # shows what an address before this one had to say, once
        got, head = client.get(url, **given), client.head(url, **given)
        assert head.status_code == got.status_code, name
        assert (head.getvalue() if head.streaming else head.content) == b"", name
        if got.status_code == 200 and not got.streaming and name not in CLOCKS:
            whole += 1
            assert head.headers["ETag"] == got.headers["ETag"], name
            assert head.headers["Content-Length"] == str(len(got.content)), name
            asked = {**given.get("headers", {}), "If-None-Match": got.headers["ETag"]}
            assert client.get(url, headers=asked).status_code == 304, name
    assert whole > 30


def test_another_session_of_the_same_person_gets_its_own_form() -> None:
    """A page that is kept from an earlier session holds a token that this one refuses."""
    client, user = Walker(), staff()
    client.force_login(user)
    first = client.get("/feeds/").headers["ETag"]
    client.logout()
    client.cookies.clear()
    client.force_login(user)
    assert client.get("/feeds/", headers={"If-None-Match": first}).status_code == 200


def assert_safe_html(name: str, html: str) -> None:
    """No inline script, external links over http(s) alone and without an opener, pictures from this site."""
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", html), name
    assert not re.search(r"<[^>]+\son\w+=", html), name
    for tag in re.findall(r"<a\b[^>]*>", html):
        href = re.search(r'href="([^"]*)"', tag)
        if href is None or href[1].startswith(("/", "#", "?", ".")) or ":" not in href[1]:
            continue
        assert href[1].startswith(("http://", "https://")), f"{name}: {tag}"
        assert "noopener" in tag or name.startswith("admin:"), f"{name}: {tag}"
    for source in re.findall(r"<(?:img|iframe|video|audio|source|embed)\b[^>]*\bsrc=\"([^\"]*)\"", html):
        assert source.startswith(("/", "data:image/")), f"{name}: {source}"


def test_content_of_feeds_becomes_no_link_and_no_script(client: Client) -> None:
    client.force_login(make_user("editor"))
    post = make_post("<script>alert(1)</script>", '"><img src=x onerror=alert(2)> javascript:alert(3)')
    Post.objects.filter(pk=post.pk).update(link="javascript:alert(4)", publisher="<b>x</b>")
    PostImage.objects.create(post=post, url="https://elsewhere.example/pixel.png", caption="'><script>", position=0)
    for url in ("/", f"/posts/{post.public_id}/"):
        html = client.get(url).content.decode()
        assert_safe_html(url, html)
        assert 'href="javascript:' not in html
        assert "elsewhere.example" not in re.sub(r"<a\b[^>]*>", "", html) or "<img" not in html


# The routes that change something, with a form that does it. A new route that changes anything belongs here.
def changes(things: dict[str, Any]) -> dict[str, dict[str, Any]]:
    moon = things["posts"]["moon"]
    statement = Statement.objects.filter(assertions__reading=moon.current_reading_id)[0]
    head, other = Entity.objects.filter(type="person").order_by("pk")[:2]
    things["keys"]["entity"] = head
    opml = b'<opml version="2.0"><body><outline xmlUrl="https://other.example/feed"/></body></opml>'
    return {
        "review": {"statement": str(statement.public_id), "verdict": "reject"},
        "labels_snapshot": {},
        "statement_correct": _claim(statement) | {"factuality": "alleged"},
        "statement_add": _claim(statement) | _ends(statement),
        "mention_add": {"start": "0", "end": "3", "words": moon.current_version.text[:3], "type": "event"},
        "mention_correct": {"do": "delete"},
        "correction_undo": {},
        "review_next": {"do": "accept", "post": str(moon.public_id), "statement": str(statement.public_id)},
        "depicted": {"depiction": str(_depiction(moon).public_id), "verdict": "reject"},
        "read_again": {},
        "feed_add": {"feed": seal("https://new.example/feed")},
        "feeds_selected": {"feed": str(things["keys"]["feed_id"]), "do": "move", "folder": "Space"},
        "feed_edit": {"title": "Renamed", "url": "https://moved.example/feed"},
        "opml_import": {"opml": SimpleUploadedFile("feeds.opml", opml)},
        "feed_change": {"do": "pause"},
        "feed_delete": {"posts": "keep"},
        "feed_restore": {},
        "status_retry": {"what": "readings"},
        "merge": {"other": str(other.public_id), "sure": "yes"},
        "undo_merge": {"merge": "1"},
        "split": {"post": [str(post.public_id) for post in things["posts"].values()]},
        "undo_split": {"split": "1"},
        "decide_link": {"target": ""},
        "entity_edit": {"kind": "label", "value": "Another label"},
        "undo_edit": {"edit": "1"},
        "query_save": {"language": "sparql", "title": "All", "query": "SELECT * WHERE { ?s ?p ?o }"},
        "query_remove": {},
        "token_make": {"name": "a program's", "scope": "read", "days": "30"},
        "token_revoke": {},
        "erase": {"confirm": "on", "reason": "asked for by law", "sure": "erase"},
        "samples_remove": {},
        "password": {"old_password": PASSWORD, "new_password1": "quite another 1", "new_password2": "quite another 1"},
    }


def _claim(statement: Statement) -> dict[str, Any]:
    """The form of a statement as it is."""
    return {"relation": statement.relation, "factuality": "stated"}


def _ends(statement: Statement) -> dict[str, Any]:
    one = statement.assertions.all()[0]
    return {"head": str(one.head_mention_id), "tail": str(one.tail_mention_id)}


def _depiction(post: Post) -> Depiction:
    mention = Mention.objects.filter(reading=post.current_reading_id)[0]
    place: dict[str, Any] = {"box": [0.1, 0.1, 0.2, 0.2], "label": "person", "score": 0.8}
    return Depiction.objects.create(public_id=uuid.uuid4(), reading=mention.reading, mention=mention, **place)


def test_every_change_by_a_person_leaves_an_event(client: Client, things: dict[str, Any]) -> None:
    user = staff()
    client.force_login(user)
    forms = changes(things)
    failed = things["posts"]["moon"].current_version.readings.get()
    for name, form in forms.items():
        if name in ("read_again", "status_retry"):
            type(failed).objects.filter(pk=failed.pk).update(stage="failed")
        url = address(name, PAGES[name], things["keys"])
        if name in ("merge", "undo_merge", "split", "undo_split", "decide_link", "entity_edit", "undo_edit"):
            url = reverse(name, args=[things["keys"]["entity"].public_id])
        if name == "undo_merge":
            form = {"merge": str(Merge.objects.get().pk)}
        if name == "undo_edit":
            form = {"edit": str(EntityEdit.objects.get().pk)}
        if name == "undo_split":
            form = {"split": str(Split.objects.get().pk)}
        if name == "token_revoke":
            url = reverse(name, args=[ApiToken.objects.get().public_id])
        if name == "query_remove":
            url = reverse(name, args=[SavedQuery.objects.get().public_id])
        before = Event.objects.filter(by=user).count()
        response = client.post(url, form)
        # A token is shown once, so it is in the response itself and not on a page after a redirect.
        assert response.status_code == (200 if name == "token_make" else 302), f"{name}: {response.status_code}"
        assert Event.objects.filter(by=user).count() > before, f"{name} left no event: call events.note in it"


def test_a_route_that_takes_a_form_is_walked_above_or_notes_its_changes_where_it_makes_them(
    client: Client, things: dict[str, Any]
) -> None:
    known = set(changes(things)) | ASK
    for name, pattern in PAGES.items():
        view = inspect.unwrap(pattern.callback)
        module = sys.modules[view.__module__]
        takes_a_form = "POST" in inspect.getsource(view) or "POST" in _decorators(view)
        if takes_a_form and name not in known:
            assert "audit_log.note(" in inspect.getsource(module), f"{name} changes something and leaves no event"
    client.force_login(staff())
    for name, pattern in PAGES.items():
        if name not in known:
            with CaptureQueriesContext(connection) as queries:
                client.post(address(name, pattern, things["keys"]), {})
            assert _writes(queries) == [], f"{name} writes on an empty form: add it to changes()"


def _decorators(view: Any) -> str:
    return inspect.getsource(sys.modules[view.__module__]).partition(f"def {view.__name__}(")[0][-60:]


def test_what_an_admin_does_to_accounts_leaves_an_event(client: Client) -> None:
    client.force_login(staff())
    form = {"username": "new", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert client.post("/admin/auth/user/add/", form).status_code == 302
    made = User.objects.get(username="new")
    assert Event.objects.filter(what="user added", subject=str(made.pk)).exists()
    client.post(f"/admin/auth/user/{made.pk}/delete/", {"post": "yes"})
    assert Event.objects.filter(what="user deleted", subject=str(made.pk)).exists()
    assert PASSWORD not in str(list(Event.objects.values()))


def test_ids_that_name_nothing_are_not_found_rather_than_an_error(client: Client) -> None:
    client.force_login(make_user("admin"))
    for name, pattern in PAGES.items():
        if kinds := re.findall(r"<(\w+):\w+>", str(pattern.pattern)):
            for method in (client.get, client.post):
                response = method(reverse(name, args=[NOTHING[kind] for kind in kinds]))
                assert response.status_code in (404, 405), name


def test_the_walk_goes_through_pages_that_show_something(things: dict[str, Any]) -> None:
    assert Assertion.objects.count() > 20
    assert PostImage.objects.get().file
