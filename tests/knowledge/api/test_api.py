"""The API: tokens and scopes, and the requests, responses and effects of each operation."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from extraction.models import Deployment, Feed, Post, PostVersion, Reading, Sighting
from kgbuilder.accounts import api_tokens
from kgbuilder.models import ApiToken
from knowledge.api import auth, exports
from knowledge.entities import merges
from knowledge.models import Entity, Event, Link, Projection, Statement
from knowledge.record import projection_queue
from knowledge.recording import erasure, reviews
from tests import records
from tests.factories import make_checkpoint, make_post, make_user, read_post
from tests.markup import markup
from tests.newsroom import open_newsroom

pytestmark = pytest.mark.django_db

EVERY = list(api_tokens.SCOPES)
CURIE = {
    "id": "curie",
    "title": "Second Nobel Prize for Marie Curie",
    "text": "Marie Curie was born in Warsaw.",
    "published": "2026-03-02T12:00:00Z",
}


@pytest.fixture(autouse=True)
def _no_pace_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_pace", api_tokens.Pace())


def program(*scopes: str, role: str = "editor", user: User | None = None) -> Client:
    """A client without a session that sends a token with these scopes."""
    owner = user or make_user(role)
    _, text = api_tokens.make(owner, "for a test", scopes or EVERY)
    return Client(headers={"Authorization": f"Bearer {text}"}, enforce_csrf_checks=True)


def get(client: Client, path: str, **query: Any) -> Any:
    response = client.get(f"/api/v1/{path}", query)
    assert response.status_code == 200, response.content
    return response.json()


def send(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=headers)


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem in a response, checked for its form."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["status"] == status and content["title"] and content["detail"][-1] in ".:…`"
    return content


# Tokens and access.


def test_a_token_is_stored_as_a_hash_and_its_last_use_is_recorded() -> None:
    made, text = api_tokens.make(make_user("viewer"), "for a test", ["read"])
    assert text.startswith("kgb_") and len(text) > 40
    assert text not in str(list(ApiToken.objects.values())) + str(list(Event.objects.values()))
    assert made.used_at is None
    assert get(Client(headers={"Authorization": f"Bearer {text}"}), "vocabulary")["types"]
    made.refresh_from_db()
    assert made.used_at is not None and timezone.now() - made.used_at < timedelta(minutes=5)


def test_a_use_is_recorded_at_most_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "SEEN_AGAIN", timedelta(hours=1))  # a minute may pass here on a slow machine
    client = program("read")
    get(client, "vocabulary")
    with CaptureQueriesContext(connection) as asked:
        get(client, "vocabulary")
    assert not [query for query in asked.captured_queries if query["sql"].startswith("UPDATE")]


def test_a_request_without_a_token_learns_how_to_get_one() -> None:
    for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer "}):
        response = Client(headers=headers).get("/api/v1/posts")
        assert "/tokens/" in problem(response, 401)["detail"]
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    response = Client(headers={"Authorization": "Bearer kgb_nobody"}).get("/api/v1/posts")
    assert "invalid_token" in response.headers["WWW-Authenticate"]
    problem(response, 401)


def test_an_expired_revoked_or_ownerless_token_is_refused() -> None:
    for change in (
        lambda token: api_tokens.revoke(token, None),
        lambda token: ApiToken.objects.filter(pk=token.pk).update(ends_at=timezone.now() - timedelta(seconds=1)),
        lambda token: User.objects.filter(pk=token.by_id).update(is_active=False),
    ):
        client = program("read")
        get(client, "vocabulary")
        change(ApiToken.objects.latest("pk"))
        problem(client.get("/api/v1/vocabulary"), 401)


def test_a_session_gives_no_access() -> None:
    """So no other site can make a browser send requests in a user's name."""
    client = Client()
    client.force_login(make_user("admin"))
    problem(client.get("/api/v1/posts"), 401)
    problem(send(client, "posts", CURIE), 401)


def test_each_operation_requires_the_scope_in_its_schema() -> None:
    schema = json.loads(Client().get("/api/v1/openapi.json").content)
    owner, one = make_user("editor"), {"post_id", "entity_id", "statement_id", "text_id"}
    by_scope = {scope: program(scope, user=owner) for scope in EVERY}
    seen = set()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            scope = operation["x-scope"]
            seen.add(scope)
            url = path.replace("{form}", "csv")
            for name in one:
                url = url.replace(f"{{{name}}}", "00000000-0000-0000-0000-000000000007")
            for given, client in by_scope.items():
                response = getattr(client, method)(url)
                refused = response.status_code == 403
                assert refused == (given != scope), f"{method} {path} with {given}: {response.status_code}"
                if response.streaming:
                    list(response.streaming_content)
    assert seen == set(EVERY)


def test_a_token_does_no_more_than_its_owner_may() -> None:
    with pytest.raises(api_tokens.NoToken, match="no more than its owner"):
        api_tokens.make(make_user("viewer"), "sneaky", ["write"])
    editor = make_user("editor")
    client = program("write", user=editor)
    editor.groups.set([Group.objects.get(name="viewer")])
    assert "may not" in problem(send(client, "posts", CURIE), 403)["detail"]
    assert not Post.objects.exists()


@override_settings(API_PER_MINUTE=3)
def test_requests_are_bounded_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock stands still: on a slow machine the next request would be granted before it is made.
    monkeypatch.setattr(api_tokens, "time", SimpleNamespace(monotonic=lambda: 0.0))
    client, other = program("read"), program("read")
    for _ in range(3):
        get(client, "vocabulary")
    response = client.get("/api/v1/vocabulary")
    problem(response, 429)
    assert int(response.headers["Retry-After"]) > 0
    get(other, "vocabulary")


def test_the_pace_fills_as_time_goes_by() -> None:
    pace = api_tokens.Pace()
    assert [pace.wait(1, 2, 0.0) for _ in range(3)] == [0.0, 0.0, 30.0]
    assert pace.wait(1, 2, 29.0) == pytest.approx(1.0)
    assert pace.wait(1, 2, 31.0) == 0.0
    assert pace.wait(2, 2, 0.0) == 0.0
    assert [pace.wait(1, 2, 9999.0) for _ in range(3)] == [0.0, 0.0, 30.0], "it never holds more than a minute's worth"


def test_unknown_addresses_and_invalid_requests_are_problems() -> None:
    client = program()
    assert "openapi.json" in problem(client.get("/api/v1/nothing/here"), 404)["detail"]
    response = client.delete("/api/v1/posts")
    assert "POST" in problem(response, 405)["detail"]
    response = client.post("/api/v1/posts", "{", content_type="application/json")
    assert problem(response, 400)["detail"] == "The body is not JSON."
    invalid = problem(client.get("/api/v1/posts", {"limit": "many"}), 422)
    assert invalid["errors"][0]["where"].endswith("limit")
    problem(client.get("/api/v1/posts", {"unknown": "1"}), 422)
    problem(client.get("/api/v1/posts", {"after": "no key"}), 422)
    problem(client.get("/api/v1/entities/00000000-0000-0000-0000-000000000007"), 404)
    problem(client.get("/api/v1/posts", {"q": "a\0b"}), 400)
    problem(client.post("/api/v1/posts", b"x" * 3_000_000, content_type="application/json"), 413)


def test_an_internal_error_reveals_no_details(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("knowledge.api.search.relation", lambda key: 1 / 0)
    failure = problem(program("read").get("/api/v1/vocabulary"), 500)
    assert "division" not in str(failure)
    assert "division by zero" in caplog.text


# Posts.


def test_a_post_is_sent_once_by_source_and_id() -> None:
    make_checkpoint()
    client = program("write", "read")
    first = send(client, "posts", CURIE)
    assert first.status_code == 201
    again = send(client, "posts", CURIE)
    assert again.status_code == 200
    assert again.json() == first.json() | {"new": False, "changed": False}
    other = send(client, "posts", CURIE | {"source": "elsewhere", "text": "Another text."})
    assert other.json()["new"] and other.json()["id"] != first.json()["id"]
    post = Post.objects.get(public_id=first.json()["id"])
    assert (post.versions.count(), post.due_at) == (1, None)
    assert Reading.objects.get(version=post.current_version).stage == Reading.Stage.READ
    shown = get(client, f"posts/{post.public_id}")
    assert shown["text"] == "Second Nobel Prize for Marie Curie\n\nMarie Curie was born in Warsaw."
    assert shown["published"] == "2026-03-02T12:00:00Z"
    assert get(client, "posts", state="waiting")["items"][0]["title"]


def test_a_changed_text_is_the_next_version_and_leaves_an_event() -> None:
    client = program("write")
    key = send(client, "posts", CURIE).json()["id"]
    changed = send(client, "posts", CURIE | {"text": "Marie Curie was born in Warsaw, in Poland."})
    assert changed.json() | {"state": "live"} == {
        "id": key,
        "new": False,
        "changed": True,
        "state": "live",
        "address": f"/api/v1/posts/{key}",
    }
    versions = PostVersion.objects.order_by("ordinal")
    assert [row.source for row in versions] == ["sent", "sent"]
    assert list(Event.objects.filter(subject=key).order_by("pk").values_list("what", flat=True)) == [
        "post sent",
        "sent post changed",
    ]
    assert "Warsaw" not in str(list(Event.objects.values()))


def test_a_post_with_an_address_alone_is_fetched_like_a_feed_item() -> None:
    client = program("write")
    response = send(client, "posts", {"id": "1", "url": "https://news.example/story?utm_source=x", "title": "A story"})
    post = Post.objects.get(public_id=response.json()["id"])
    assert post.current_version is None
    assert post.due_at is not None and post.due_at <= timezone.now()
    # an item with the same address is the same post
    assert send(client, "posts", {"id": "2", "url": "https://news.example/story"}).json()["id"] == str(post.public_id)
    assert Sighting.objects.filter(post=post).count() == 2


def test_the_article_page_of_a_post_with_a_text_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    from extraction.posts import article_page

    send(
        program("write"), "posts", CURIE | {"url": "https://news.example/curie", "image": "https://news.example/1.png"}
    )
    post = Post.objects.get()
    assert post.due_at is not None, "its picture is to be fetched"
    monkeypatch.setattr(article_page.http_client, "get", lambda *args, **kwargs: pytest.fail("the page was fetched"))
    assert article_page.fetch_page(post).kind == "unchanged"


def test_a_refused_post_gets_the_reason() -> None:
    client = program("write")
    for wrong, message in (
        ({"id": "1"}, "url"),
        ({"id": "", "text": "words"}, "id"),
        ({"id": "1", "url": "javascript:alert(1)"}, "https://"),
        ({"id": "1", "url": "file:///etc/passwd"}, "https://"),
        ({"id": "1", "text": "words", "image": "nothing"}, "image"),
        ({"id": "1", "text": "words", "source": "A b"}, "source"),
        ({"id": "1", "text": "words", "published": "0001-01-01T00:00:00+14:00"}, "1980"),
        ({"id": "1", "text": "words", "language": "English!"}, "language"),
        ({"id": "1", "text": "words\0"}, "NUL"),
        ({"id": "1", "text": "words", "guid": "2"}, "guid"),
    ):
        assert message in problem(send(client, "posts", wrong), 422)["detail"], wrong
    assert not Post.objects.exists()
    assert not Feed.objects.exists()


def test_an_erased_post_cannot_be_sent_again() -> None:
    client = program("write", "read")
    long = CURIE | {"text": "Marie Curie was born in Warsaw and taught at the University of Paris. " * 4}
    key = send(client, "posts", long).json()["id"]
    erasure.erase(Post.objects.get(public_id=key), make_user("admin"), "asked for by law")
    problem(send(client, "posts", CURIE | {"text": "Other words."}), 410)
    problem(send(client, "posts", long | {"id": "another"}), 410)
    problem(client.get(f"/api/v1/posts/{key}"), 410)
    assert Post.objects.count() == 1


def test_a_source_is_a_feed_that_is_not_polled() -> None:
    send(program("write"), "posts", CURIE)
    feed = Feed.objects.get()
    editor = Client()
    editor.force_login(make_user("editor"))
    assert "Sent through the API" in editor.get("/feeds/").content.decode()
    assert "Poll now" not in editor.get(f"/feeds/{feed.pk}/").content.decode()
    editor.post(f"/feeds/{feed.pk}/change/", {"do": "retry"})
    feed.refresh_from_db()
    assert (feed.state, feed.due_at) == (Feed.State.SENT, None)
    assert b"urn:" not in editor.get("/feeds/opml/").content


def test_a_post_that_returns_is_marked_for_projection_or_stays_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    client, sent = program("write"), {"source": "desk", "id": "7", "title": "Two friends", "text": "They met in Paris."}
    assert send(client, "posts", sent).status_code == 201
    Post.objects.update(state=Post.State.WITHDRAWN)
    Projection.objects.all().delete()

    def broken(posts: list[Post]) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(projection_queue, "mark_posts", broken)
        assert send(client, "posts", sent).status_code == 500
    assert Post.objects.get().state == Post.State.WITHDRAWN
    assert send(client, "posts", sent).json()["changed"] is True
    assert Post.objects.get().state == Post.State.LIVE
    assert Projection.objects.filter(kind=Projection.Kind.POST, key=Post.objects.get().public_id).exists()


def test_posts_are_listed_in_pages_without_gaps_and_filtered() -> None:
    open_newsroom(pictures=False)
    client = program("read")
    ids, after = [], ""
    while True:
        page = get(client, "posts", limit=2, after=after)
        ids += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    whole = get(client, "posts", limit=200)["items"]
    assert ids == [row["id"] for row in whole] and len(set(ids)) == len(ids) > 4
    assert whole == sorted(whole, key=lambda row: row["published"], reverse=True)
    (curie,) = get(client, "posts", q="Curie Warsaw")["items"]
    assert (curie["mentions"], curie["statements"]) == (6, 5)
    assert {row["title"] for row in get(client, "posts", relation="spouse")["items"]} == {curie["title"]}
    assert get(client, "posts", state="withdrawn")["items"][0]["state"] == "withdrawn"
    assert get(client, "posts", since="2100-01-01")["items"] == []
    feed = Feed.objects.get(title="Space Desk").pk
    assert len(get(client, "posts", feed=feed)["items"]) == 2
    problem(client.get("/api/v1/posts", {"relation": "loves"}), 422)


def test_a_post_shows_its_text_with_mentions_statements_and_readings() -> None:
    moon = open_newsroom(pictures=False)["moon"]
    shown = get(program("read"), f"posts/{moon.public_id}")
    assert all(shown["text"][m["start"] : m["end"]] == m["text"] for m in shown["mentioned"])
    by = {(one["head"]["label"], one["relation"]["key"], one["tail"]["label"]): one for one in shown["stated"]}
    born = by["Neil Armstrong", "place_of_birth", "Wapakoneta"]
    assert (born["counts"], born["review"], born["relation"]["property"]) == (True, None, "P19")
    place = born["places"][0]
    assert shown["text"][place["tail"]["start"] : place["tail"]["end"]] == "Wapakoneta"
    assert not by["Zürich", "located_in", "New Jersey"]["counts"]
    assert shown["readings"][0]["current"] and shown["readings"][0]["missing"] == ["detector"]


# Entities, statements, search.


def test_entities_are_searched_shown_and_followed_when_merged() -> None:
    open_newsroom(pictures=False)
    client = program("read")
    names = [("Armstrong", "person"), ("Wapakoneta", "location")]
    text = "Armstrong was born in Wapakoneta."
    records.read(records.post(text), names, [("Armstrong", "place_of_birth", "Wapakoneta", 0.97)])
    neil, short = Entity.objects.get(label="Neil Armstrong"), Entity.objects.get(label="Armstrong")
    found = get(client, "entities", q="armstrong")["items"]
    assert {row["label"] for row in found} == {"Neil Armstrong", "Armstrong"}
    merges.merge(neil, [short], None)
    response = client.get(f"/api/v1/entities/{short.public_id}")
    assert (response.status_code, response.headers["Location"]) == (307, f"/api/v1/entities/{neil.public_id}")
    shown = get(client, f"entities/{neil.public_id}")
    assert [one["label"] for one in shown["merged"]] == ["Armstrong"]
    assert shown["link"] is None
    Link.objects.filter(entity=neil).update(
        target="Q1615", sure=0.9, label="Neil Armstrong", looked_up_at=timezone.now()
    )
    link = get(client, f"entities/{neil.public_id}")["link"]
    assert (link["wikidata"], link["same_as"]) == ("Q1615", ["http://www.wikidata.org/entity/Q1615"])
    assert {row["type"] for row in get(client, "entities", type="location")["items"]} == {"location"}


def every_statement(client: Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = get(client, "statements", after=after, **query)
        assert len(page["items"]) <= int(query.get("limit", 50))
        found += page["items"]
        if page["next"] is None:
            return found
        after = page["next"]


def triples(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["head"]["label"], one["relation"]["key"], one["tail"]["label"]) for one in found]


def test_statements_are_listed_once_each_page_by_page() -> None:
    open_newsroom(pictures=False)
    client = program("read")
    whole = every_statement(client, limit=200)
    assert len(whole) > 15 and len(set(triples(whole))) == len(whole)
    for limit in (1, 3, len(whole)):
        assert every_statement(client, limit=limit) == whole


def test_statements_are_filtered_by_ends_relation_and_post() -> None:
    posts = open_newsroom(pictures=False)
    client = program("read")
    nasa = Entity.objects.get(label="NASA").public_id
    neil = Entity.objects.get(label="Neil Armstrong").public_id
    assert {relation for _, relation, _ in triples(every_statement(client, entity=nasa))} == {
        "employer",
        "headquarters_location",
        "operator",
    }
    assert triples(every_statement(client, head=nasa)) == [("NASA", "headquarters_location", "Washington")]
    assert triples(every_statement(client, head=neil, tail=nasa)) == [("Neil Armstrong", "employer", "NASA")]
    assert len(every_statement(client, relation="place_of_birth", limit=2)) == 4
    curie = triples(every_statement(client, post=posts["curie"].public_id))
    assert len(curie) == 5 and ("Marie Curie", "place_of_birth", "Warsaw") in curie
    pierre = Entity.objects.get(label="Pierre Curie").public_id
    both = [every_statement(client, relation="spouse", **{end: pierre}) for end in ("head", "tail")]
    assert both[0] == both[1] and len(both[0]) == 1, "a symmetric relation has no direction"
    assert every_statement(client, entity="00000000-0000-0000-0000-000000000007") == []


def test_rows_with_one_triple_after_a_merge_are_one_statement_with_the_support_of_both() -> None:
    make_checkpoint(0.5)
    for name in ("Neil Armstrong", "Commander Armstrong"):
        text = f"{name} worked for NASA."
        records.read(
            records.post(text), [(name, "person"), ("NASA", "organization")], [(name, "employer", "NASA", 0.9)]
        )
    first, second = Entity.objects.filter(type="person").order_by("pk")
    merges.merge(first, [second], None)
    client = program("read")
    (one,) = every_statement(client, limit=1)
    assert one["posts"] == 2
    assert len(get(client, f"statements/{one['id']}")["support"]) == 2
    (other,) = Statement.objects.exclude(public_id=one["id"])
    assert get(client, f"statements/{other.public_id}")["posts"] == 2


def test_statements_show_the_comparison_with_known_facts() -> None:
    make_checkpoint(0.5)
    names = [("Ada", "person"), ("Byron", "person"), ("Milbanke", "person"), ("London", "location")]
    relations = [
        ("Ada", "father", "Byron", 0.9),
        ("Ada", "mother", "Milbanke", 0.9),
        ("Ada", "residence", "London", 0.9),
    ]
    records.read(records.post("Ada, of Byron and Milbanke, in London."), names, relations)
    ids = {"Ada": "Q7259", "Byron": "Q5679", "Milbanke": "Q1"}
    for label, target in ids.items():
        Link.objects.filter(entity__label=label).update(target=target)
    Link.objects.filter(entity__label="Ada").update(facts=[["P22", "Q5679", "Lord Byron"], ["P25", "Q2", "Another"]])
    client = program("read")
    for standing, relation in (("known", "father"), ("conflict", "mother"), ("said", "residence")):
        (one,) = every_statement(client, standing=standing, limit=1)
        assert one["relation"]["key"] == relation
    (one,) = every_statement(client, standing="conflict")
    assert one["standing"] == {"standing": "conflict", "source": "Wikidata", "fact": "Another"}


def test_a_statement_shows_the_words_that_support_it_and_the_verdicts() -> None:
    moon = open_newsroom(pictures=False)["moon"]
    client = program("read")
    statement = Statement.objects.get(head__label="Neil Armstrong", relation="place_of_birth")
    (support,) = get(client, f"statements/{statement.public_id}")["support"]
    assert support["post"] == str(moon.public_id)
    assert (support["head"]["text"], support["tail"]["text"], support["review"]) == ("Armstrong", "Wapakoneta", None)
    reviews.review(moon, statement, "accept", make_user("editor"))
    assert get(client, f"statements/{statement.public_id}")["support"][0]["review"] == "accept"
    reviews.review(moon, statement, "reject", make_user("editor"))
    problem(client.get(f"/api/v1/statements/{statement.public_id}"), 404)


def test_search_finds_posts_and_entities() -> None:
    open_newsroom(pictures=False)
    found = get(program("read"), "search", q="NASA")
    assert len(found["posts"]) == 2
    assert [one["label"] for one in found["entities"]] == ["NASA"]


def test_the_number_of_queries_does_not_grow_with_the_rows() -> None:
    open_newsroom(pictures=False)
    client = program("read")
    for path in ("posts", "entities", "statements"):
        counts = []
        for limit in (2, 15):
            with CaptureQueriesContext(connection) as queries:
                get(client, path, limit=limit)
            counts.append(len(queries.captured_queries))
        assert counts[1] <= counts[0] + 1, f"{path}: {counts}"


# Exports.


@pytest.mark.parametrize("form", list(exports.MEDIA_TYPES))
def test_the_graph_is_exported_as_a_file(form: str) -> None:
    open_newsroom(pictures=False)
    response: Any = program("export").get(f"/api/v1/exports/{form}")
    body = b"".join(response.streaming_content)
    response.close()
    assert b"Wapakoneta" in body
    assert "attachment" in response.headers["Content-Disposition"]
    if form == "csv":
        assert len(list(csv.DictReader(io.StringIO(body.decode())))) > 15
    if form == "jsonld":
        assert json.loads(body)


def test_exports_release_their_slots_also_when_a_connection_breaks() -> None:
    client = program("export")
    held: list[Any] = [client.get("/api/v1/exports/csv") for _ in range(exports.AT_ONCE)]
    assert "Try again" in problem(client.get("/api/v1/exports/csv"), 503)["detail"]
    for response in held:
        # as Django does when a connection breaks off; the test client's own close() would close the database too
        for close in response._resource_closers:
            close()
            close()
    again: Any = client.get("/api/v1/exports/csv")
    assert b"".join(again.streaming_content).startswith(b"head_id")
    assert exports._slots._value == exports.AT_ONCE, "no slot was released twice"


# The tokens page, and the command.


def test_a_person_creates_a_token_sees_it_once_and_revokes_it(client: Client) -> None:
    user = make_user("viewer")
    client.force_login(user)
    made = client.post("/tokens/make/", {"name": "nightly <b>", "scope": ["read", "query"], "days": "90"})
    text = markup(made).split('readonly value="')[1].split('"')[0]
    assert made.headers["Cache-Control"].find("no-store") >= 0
    assert get(Client(headers={"Authorization": f"Bearer {text}"}), "vocabulary")
    page = client.get("/tokens/").content.decode()
    assert text not in page and text[:10] in page and "nightly &lt;b&gt;" in page
    token = ApiToken.objects.get()
    assert token.ends_at is not None
    assert client.post(f"/tokens/{token.public_id}/revoke/").status_code == 302
    problem(Client(headers={"Authorization": f"Bearer {text}"}).get("/api/v1/vocabulary"), 401)
    assert list(Event.objects.filter(by=user).order_by("pk").values_list("what", flat=True)) == [
        "token made",
        "token revoked",
    ]


def test_an_invalid_token_form_shows_the_reason(client: Client) -> None:
    client.force_login(make_user("viewer"))
    for form, message in (
        ({"name": "", "scope": "read", "days": "30"}, "name"),
        ({"name": "x", "days": "30"}, "Choose at least one scope"),
        ({"name": "x", "scope": "everything", "days": "30"}, "Choose at least one scope"),
        ({"name": "x", "scope": "write", "days": "30"}, "no more than its owner"),
        ({"name": "x", "scope": "read", "days": "31"}, "Choose when the token expires"),
    ):
        response = client.post("/tokens/make/", form)
        assert response.status_code == 400
        assert message in response.content.decode()
    assert not ApiToken.objects.exists()


def test_only_admins_see_and_revoke_the_tokens_of_others(client: Client) -> None:
    token, _ = api_tokens.make(make_user("viewer"), "somebody's own", ["read"])
    client.force_login(make_user("editor"))
    assert "somebody" not in client.get("/tokens/").content.decode()
    assert client.post(f"/tokens/{token.public_id}/revoke/").status_code == 404
    client.force_login(make_user("admin"))
    assert "somebody&#x27;s own" in client.get("/tokens/").content.decode()
    client.post(f"/tokens/{token.public_id}/revoke/")
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_the_number_of_tokens_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "MOST", 2)
    user = make_user("viewer")
    made = [api_tokens.make(user, "x", ["read"])[0] for _ in range(2)]
    with pytest.raises(api_tokens.NoToken, match="2 active tokens"):
        api_tokens.make(user, "x", ["read"])
    api_tokens.revoke(made[0], user)
    api_tokens.make(user, "x", ["read"])


def test_the_command_creates_lists_and_revokes(capsys: pytest.CaptureFixture[str]) -> None:
    user = make_user("editor", "ada")
    call_command("api_token", "make", "ada", "import", "--scope", "write", "--days", "7")
    text = capsys.readouterr().out.strip()
    client = Client(headers={"Authorization": f"Bearer {text}"})
    assert send(client, "posts", CURIE).status_code == 201
    call_command("api_token", "list")
    assert text[:10] in capsys.readouterr().out
    call_command("api_token", "revoke", text[:10])
    problem(send(client, "posts", CURIE), 401)
    for wrong in (["make", "nobody", "x", "--scope", "read"], ["revoke", "kgb_none"], ["revoke", str(user.pk)]):
        with pytest.raises(CommandError):
            call_command("api_token", *wrong)


# The schema and its page.


def test_the_page_of_the_api_shows_every_operation_and_object(client: Client) -> None:
    client.force_login(make_user("viewer"))
    html = client.get("/api/").content.decode()
    schema = json.loads(client.get("/api/v1/openapi.json").content)
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in html
            assert operation["description"].strip(), operation["operationId"]
    for name in schema["components"]["schemas"]:
        assert f'id="o-{name}"' in html


def test_the_schema_describes_problems_and_the_token() -> None:
    schema = json.loads(Client().get("/api/v1/openapi.json").content)
    assert schema["openapi"].startswith("3.1")
    assert schema["components"]["securitySchemes"]["Token"] == {"type": "http", "scheme": "bearer"}
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert {"401", "403", "429"} <= operation["responses"].keys()
            for status, response in operation["responses"].items():
                assert ("application/problem+json" in response.get("content", {})) == (status >= "400")


def test_a_sent_post_is_analysed_and_shown(client: Client) -> None:
    make_checkpoint(0.5)
    program_ = program("write", "read")
    key = send(program_, "posts", CURIE).json()["id"]
    post = Post.objects.get(public_id=key)
    Reading.objects.all().delete()
    read_post(
        post,
        [("Marie Curie#2", "person"), ("Warsaw", "location")],
        [("Marie Curie#2", "place_of_birth", "Warsaw", 0.9)],
    )
    (one,) = get(program_, f"posts/{key}")["stated"]
    assert (one["head"]["label"], one["tail"]["label"]) == ("Marie Curie", "Warsaw")
    assert Deployment.objects.filter(active=True).exists()
    assert make_post("Another")
