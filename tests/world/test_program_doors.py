"""What programs report of APIs and RDF stores: JSON-LD, CORS, DESCRIBE, linked data by token, well-formed XML."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pyoxigraph
import pytest
import rdflib
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from extraction.models import Post
from kgbuilder.accounts import api_tokens
from kgbuilder.conf import values
from knowledge.api import auth
from knowledge.graphs import projector
from knowledge.graphs.rdf import descriptions, sparql_guard, sparql_store
from knowledge.graphs.sparql_server.snapshot_queries import YOUNG_S
from knowledge.models import Assertion
from knowledge.ontology import vocabulary
from tests import records
from tests.factories import make_user
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = pytest.mark.django_db

PREFIXES = "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> PREFIX schema: <https://schema.org/> "
TEXT = "Ada wed Will\x07iam in London."
ORIGIN = "https://yasgui.example"


@pytest.fixture(autouse=True)
def _no_pace_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_pace", api_tokens.Pace())


@pytest.fixture
def viewer() -> User:
    return make_user("viewer")


@pytest.fixture
def program(viewer: User) -> Client:
    _, text = api_tokens.make(viewer, "for a test", ["read", "query"])
    return Client(headers={"Authorization": f"Bearer {text}"})


@pytest.fixture
def post() -> Post:
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, [("Ada", "person"), ("Will\x07iam", "person")], [("Ada", "spouse", "Will\x07iam")])
    return made


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def graph(shared: Server, settings: Any, post: Post) -> Post:
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = shared.socket, TOKEN
    shared.store().clear()
    projector.run("rdf")
    time.sleep(YOUNG_S + 0.1)  # until the next query gets a new snapshot
    return post


def query(client: Client, text: str, accept: str) -> Any:
    response = client.get("/api/v1/sparql", {"query": text}, headers={"Accept": accept})
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"].split(";")[0] == accept
    return response.content.decode()


@pytest.mark.integration
@pytest.mark.parametrize("form", ["application/ld+json", "text/turtle", "application/rdf+xml"])
def test_triples_come_as_json_ld_and_in_other_forms(graph: Post, program: Client, form: str) -> None:
    body = query(program, PREFIXES + "CONSTRUCT { ?s rdfs:label ?o } WHERE { ?s rdfs:label ?o }", form)
    read = pyoxigraph.parse(body, format=pyoxigraph.RdfFormat.from_media_type(form))
    mark = "\ufffd" if form.endswith("xml") else "\x07"
    assert {quad.object.value for quad in read} == {"Ada", f"Will{mark}iam"}


@pytest.mark.integration
def test_a_table_in_xml_is_well_formed(graph: Post, program: Client) -> None:
    body = query(program, PREFIXES + "SELECT ?o { ?s rdfs:label ?o }", "application/sparql-results+xml")
    root = ElementTree.fromstring(body)
    found = {one.text for one in root.iter("{http://www.w3.org/2005/sparql-results#}literal")}
    assert found == {"Ada", "Will\ufffdiam"}


@pytest.mark.integration
def test_a_property_that_rdf_xml_cannot_name_is_refused_with_a_sentence(graph: Post, program: Client) -> None:
    text = "CONSTRUCT { <urn:a> <http://x.example/1> 1 } WHERE {}"
    response = program.get("/api/v1/sparql", {"query": text}, headers={"Accept": "application/rdf+xml"})
    assert response.status_code == 422
    assert response.json()["detail"] == "RDF/XML has no form for the property <http://x.example/1>. Ask for Turtle."


@pytest.mark.integration
def test_describe_returns_what_stands_in_named_graphs(graph: Post, program: Client) -> None:
    named = vocabulary.post_iri(graph.public_id)
    assertion = vocabulary.assertion_iri(Assertion.objects.values_list("public_id", flat=True)[0])
    ada = vocabulary.entity_iri(records.entity("Ada").public_id)
    headline, label = rdflib.URIRef("https://schema.org/headline"), rdflib.RDFS.label

    def described(text: str) -> rdflib.Graph:
        body = query(program, PREFIXES + text, "text/turtle")
        return rdflib.Graph().parse(data=body, format="turtle")

    assert str(described(f"DESCRIBE <{named}>").value(rdflib.URIRef(named), headline)) == TEXT
    about = described(f"DESCRIBE <{assertion}>")
    assert about.value(rdflib.URIRef(assertion), rdflib.RDF.subject) == rdflib.URIRef(ada)
    both = described(f"DESCRIBE ?post <{ada}> WHERE {{ GRAPH ?g {{ ?post schema:headline ?words }} }} LIMIT 5")
    assert {str(one) for one in both.subjects()} == {named, ada}
    everything = described('DESCRIBE * { ?who rdfs:label ?name . FILTER(STRSTARTS(?name, "Ada")) }')
    assert {str(one) for one in everything.subjects()} == {ada} and everything.value(rdflib.URIRef(ada), label)
    within = described(f"DESCRIBE <{named}> FROM <{vocabulary.known_iri(records.entity('Ada').public_id)}>")
    assert len(within) == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("describe<urn:a>", ["VALUES ?resource { <urn:a> }"]),
        ("PREFIX describe: <urn:e#> # DESCRIBE ?no\nDESCRIBE describe:a", ["VALUES ?resource { describe:a }"]),
        ("DESCRIBE ?x FROM <urn:g> FROM NAMED <urn:h> { ?x ?p 1 }", ["FROM <urn:g> FROM NAMED <urn:h>\n", "?x ?p 1"]),
        (
            "DESCRIBE ?x WHERE { ?x ?p ?o } ORDER BY ?x LIMIT 2",
            ["{ ?x ?p ?o } ORDER BY ?x LIMIT 2", "(?x AS ?resource)"],
        ),
        ("DESCRIBE ?x # which?\n# all\nWHERE { ?x ?p ?resource }", ["(?x AS ?resource_)"]),
        ("DESCRIBE ?x { ?x ?p ?o } VALUES ?x { <urn:a> }", ["VALUES ?x { <urn:a> }"]),
        ("DESCRIBE <urn:a> LIMIT 1", ["VALUES ?resource { <urn:a> }"]),
        ("DESCRIBE * { ?a <urn:p> ?b }", ["(?a AS ?resource)", "(?b AS ?resource)"]),
        ("BASE <urn:x> DESCRIBE <a\\u0062>", ["VALUES ?resource { <ab> }"]),
        ("DESCRIBE ?x LIMIT 3", ["SELECT ?x WHERE {} LIMIT 3"]),
    ],
)
def test_describe_becomes_a_query_that_every_server_takes(text: str, parts: list[str]) -> None:
    assert sparql_guard.check(text) == "describe"
    written = descriptions.as_construct(text)
    assert sparql_guard.check(written) == "construct"
    assert all(part in written for part in parts), written


def test_another_servers_triples_come_in_the_requested_form() -> None:
    turtle = b"<urn:a> <urn:b#c> 'x' ."
    answer = sparql_store._first_triples(turtle, "text/turtle", 5, "application/ld+json")
    assert answer.media_type == "application/ld+json"
    assert json.loads(answer.body) == [{"@id": "urn:a", "urn:b#c": [{"@value": "x"}]}]


def iris(post: Post) -> list[str]:
    assertion = Assertion.objects.values_list("public_id", flat=True)[0]
    return [
        reverse("iri_entity", args=[records.entity("Ada").public_id]),
        reverse("iri_post", args=[post.public_id]),
        reverse("iri_assertion", args=[assertion]),
    ]


@pytest.mark.parametrize("accept", ["*/*", "text/turtle", "application/ld+json;q=0.9, */*;q=0.1"])
def test_a_token_opens_what_iris_lead_to(post: Post, program: Client, accept: str) -> None:
    for iri in iris(post):
        response = program.get(iri, follow=True, headers={"Accept": accept})
        form = "application/ld+json" if "json" in accept else "text/turtle"
        assert response.status_code == 200 and response.headers["Content-Type"].startswith(form)
        read = pyoxigraph.parse(response.content, format=pyoxigraph.RdfFormat.from_media_type(form))
        assert len(list(read)) > 3


def test_a_program_without_a_valid_token_gets_401_and_a_person_the_sign_in_page(post: Post, viewer: User) -> None:
    graph = reverse("post_ttl", args=[post.public_id])
    for address in [*iris(post), graph]:
        for headers in ({"Accept": "*/*"}, {"Accept": "text/turtle"}, {"Authorization": "Bearer kgb_wrong"}):
            response = Client().get(address, headers=headers)
            assert (response.status_code, response.headers["Content-Type"]) == (401, "application/problem+json")
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        response = Client().get(address, headers={"Accept": "text/html,*/*;q=0.8"})
        assert response.status_code == 302 and response.headers["Location"].startswith("/sign-in/")
        assert "Cookie" in response.headers["Vary"] and "Authorization" in response.headers["Vary"]
    _, other = api_tokens.make(viewer, "for a test", ["query"])
    assert Client().get(graph, headers={"Authorization": f"Bearer {other}"}).status_code == 403


def test_a_token_opens_no_page_and_a_proxys_own_sign_in_is_no_token(post: Post, program: Client, viewer: User) -> None:
    page = program.get(reverse("post", args=[post.public_id]))
    assert page.status_code == 302 and page.headers["Location"].startswith("/sign-in/")
    person = Client(headers={"Authorization": "Basic eDp5", "Accept": "text/html"})
    person.force_login(viewer)
    assert person.get(iris(post)[1], follow=True).status_code == 200


def test_an_id_that_is_not_there_is_a_problem_for_programs(post: Post, program: Client) -> None:
    response = program.get(reverse("iri_post", args=[post.public_id]).replace("0", "1").replace("a", "b"))
    assert (response.status_code, response.headers["Content-Type"]) == (404, "application/problem+json")


def test_no_other_origin_may_read_the_api_unless_it_is_set(program: Client) -> None:
    assert "Access-Control-Allow-Origin" not in program.get("/api/v1/posts", headers={"Origin": ORIGIN}).headers


def test_an_origin_of_the_setting_gets_its_preflight_and_may_read_answers_and_errors(
    program: Client, settings: Any
) -> None:
    settings.CORS_ALLOWED_ORIGINS, settings.CORS_URLS_REGEX = [ORIGIN], settings.OPEN_TO_ORIGINS
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = Client().options("/api/v1/sparql", headers={"Origin": ORIGIN, **asked})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    for client in (program, Client()):
        answer = client.get("/api/v1/posts", headers={"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "X-Truncated" in answer.headers["Access-Control-Expose-Headers"]
    for address, origin in (("/api/v1/posts", "https://other.example"), ("/posts/", ORIGIN), ("/sparql/", ORIGIN)):
        assert "Access-Control-Allow-Origin" not in Client().get(address, headers={"Origin": origin}).headers


@pytest.mark.parametrize("value", ["https://a.example/", "a.example", "ftp://a.example", "https://"])
def test_what_is_no_origin_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="without a path"):
        values.origins(value)
    assert values.origins("https://a.example, http://b.example:8080,*") == (
        *("https://a.example", "http://b.example:8080", "*"),
    )
