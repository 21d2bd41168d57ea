"""The record and a real SPARQL server: projected, compared, repaired, rebuilt, exported, killed at chosen points."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyoxigraph
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from extraction import leases
from extraction.models import Post, Reading
from extraction.readings import queue as readings_queue
from extraction.schema import FACTUALITIES, Document, ExtractedMention, Extraction, Relation, When
from knowledge.entities import merges
from knowledge.graphs import export, projector
from knowledge.graphs.parity import Report
from knowledge.graphs.rdf import parity, sparql_store
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.models import Assertion, Entity, Merge, Projection, Statement
from knowledge.ontology import vocabulary
from knowledge.record import projection_queue
from knowledge.record.projection_queue import stale
from knowledge.recording import erasure, recorder, reviews
from knowledge.recording.claims import NothingToReview
from tests import deterministic, records
from tests.patience import PATIENCE_S
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

TEXT = "Wedding\n\nAnn “A.” married Bob in Rome."
NAMES = [("Ann", "person"), ("Bob", "person"), ("Rome", "location")]
TRIPLES = [("Ann", "spouse", "Bob"), ("Ann", "place_of_birth", "Rome")]


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def store(shared: Server, settings: Settings) -> SparqlStore:
    """The store that the settings name, empty."""
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = shared.socket, TOKEN
    opened = shared.store()
    opened.clear()
    return opened


def recorded_post(text: str = TEXT) -> Post:
    made = records.post(text)
    records.read(made, NAMES, TRIPLES)
    made.refresh_from_db()
    return made


def check(store: SparqlStore) -> Report:
    return parity.check(store, "rdf")


def even(store: SparqlStore) -> None:
    projector.run("rdf")
    report = check(store)
    assert not report.differences, report.differences


def test_each_statement_is_seen_once_without_graph_and_traced_with_it(store: SparqlStore) -> None:
    records.checkpoint()
    posts = [recorded_post(), recorded_post(TEXT + " Again.")]
    even(store)
    prefixes = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in vocabulary.PREFIXES.items())
    once = store.select(prefixes + "SELECT ?a ?b { ?x kg:place_of_birth ?y . ?x rdfs:label ?a . ?y rdfs:label ?b }")
    assert [(row["a"]["value"], row["b"]["value"]) for row in once] == [("Ann", "Rome")]
    both = store.select(prefixes + "SELECT ?x { ?x kg:spouse ?y }")
    assert len(both) == 2, "a symmetric relation can be asked for from either end"
    rows = store.select(
        prefixes
        + """SELECT ?g ?url ?start ?end ?score ?type { GRAPH ?g {
            ?a a rdf:Statement ; rdf:predicate kg:place_of_birth ; kg:headStart ?start ; kg:headEnd ?end ;
               kg:score ?score ; kg:headType ?type ; prov:wasDerivedFrom ?g ; prov:wasGeneratedBy/prov:used ?g .
            ?g schema:url ?url } }"""
    )
    assert {row["g"]["value"] for row in rows} == {vocabulary.post_iri(post.public_id) for post in posts}
    row = rows[0]
    assert (row["start"]["value"], row["end"]["value"], row["score"]["value"]) == ("9", "12", "0.9")
    assert row["type"]["value"] == vocabulary.type_iri("person")


def test_awkward_posts_are_projected_like_others(store: SparqlStore) -> None:
    records.checkpoint()
    title = 'He said "no" \\ <b>&amp;</b> } ; DROP ALL # {\u0001\u2028 🜁'
    post = records.post(f"{title}\n\nAnn\r\nLee met Bob.", link='https://news.example/a"b<c>`{|}\\^ d')
    records.read(post, [("Ann\r\nLee", "person"), ("Bob", "person")], [("Ann\r\nLee", "sibling", "Bob")])
    even(store)
    [row] = store.select(
        f"SELECT ?t ?u {{ GRAPH ?g {{ ?g <{vocabulary.SCHEMA}headline> ?t ; <{vocabulary.SCHEMA}url> ?u }} }}"
    )
    assert (row["t"]["value"], row["u"]["value"]) == (title, post.link)
    assert Entity.objects.filter(label="Ann Lee").exists()


def test_what_is_pending_is_distinguished_from_what_is_wrong(store: SparqlStore) -> None:
    records.checkpoint()
    recorded_post()
    report = check(store)
    assert len(report.pending) == 6 and not report.wrong
    projector.run("rdf")
    entity = vocabulary.entity_iri(records.entity("Ann").public_id)
    store.update(f"DELETE WHERE {{ <{entity}> <{vocabulary.RDFS}label> ?o }}")
    [wrong] = check(store).wrong
    assert (wrong.kind, len(wrong.missing), wrong.extra) == ("entity", 1, ())


def strange(store: SparqlStore) -> list[str]:
    """Updates that each put one thing out of order, on either side of the graph."""
    ann, rome = (vocabulary.entity_iri(records.entity(name).public_id) for name in ("Ann", "Rome"))
    post = vocabulary.post_iri(Post.objects.get().public_id)
    nobody = vocabulary.entity_iri(Post.objects.get().public_id)
    born, father = vocabulary.relation_iri("place_of_birth"), vocabulary.relation_iri("father")
    return [
        f"DELETE DATA {{ <{ann}> <{born}> <{rome}> }}",
        f"INSERT DATA {{ <{rome}> <{born}> <{ann}> }}",
        f"INSERT DATA {{ <{ann}> <{father}> <{nobody}> }}",
        f"INSERT DATA {{ <{nobody}> <{vocabulary.RDFS}label> 'nobody' }}",
        f"INSERT DATA {{ <{ann}> <{vocabulary.RDFS}label> 'another label' }}",
        f"INSERT DATA {{ <{ann}> <urn:unknown> 1 }}",
        f"DROP GRAPH <{post}>",
        f"INSERT DATA {{ GRAPH <{post}> {{ <{ann}> <{born}> <{rome}> }} }}",
        f"INSERT DATA {{ GRAPH <{vocabulary.post_iri(records.entity('Ann').public_id)}> {{ <urn:a> <urn:b> 1 }} }}",
    ]


@pytest.mark.parametrize("which", range(9))
def test_every_difference_is_found_and_repaired(store: SparqlStore, which: int) -> None:
    records.checkpoint()
    recorded_post()
    even(store)
    store.update(strange(store)[which])
    report = check(store)
    assert len(report.wrong) == 1 and not report.pending, report.differences
    parity.repair(store, report)
    even(store)


def test_anothers_data_in_the_same_server_is_left_alone(store: SparqlStore) -> None:
    records.checkpoint()
    recorded_post()
    store.update("INSERT DATA { <urn:a> <urn:b> 1 . GRAPH <urn:g> { <urn:a> <urn:b> 2 } }")
    even(store)


def test_the_command_reports_what_is_wrong_by_its_exit_status(
    store: SparqlStore, capsys: pytest.CaptureFixture[str]
) -> None:
    records.checkpoint()
    recorded_post()
    call_command("check_parity")
    assert "0 wrong, 6 pending" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("check_parity", wait=0.1)
    projector.run("rdf")
    call_command("check_parity", wait=5)
    store.update(strange(store)[0])
    with pytest.raises(SystemExit):
        call_command("check_parity")
    output = capsys.readouterr().out
    assert "WRONG: statement" in output and "place_of_birth" in output
    call_command("check_parity", repair=True)
    call_command("check_parity")


def test_the_command_waits_for_what_is_marked_while_it_compares(
    store: SparqlStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records.checkpoint()
    recorded_post()
    even(store)
    compare = parity.check
    reports: list[Report] = []

    def while_a_post_arrives(*given: object) -> Report:
        if not reports:
            recorded_post(TEXT + " Again.")
        reports.append(compare(*given))  # type: ignore[arg-type]
        projector.run("rdf")
        return reports[-1]

    monkeypatch.setattr(parity, "check", while_a_post_arrives)
    call_command("check_parity", wait=PATIENCE_S)
    assert [bool(report.pending) for report in reports] == [True, False]
    assert "0 pending" in capsys.readouterr().out


def test_the_commands_report_an_unavailable_server(store: SparqlStore, settings: Settings, tmp_path: Path) -> None:
    settings.SPARQL_SOCKET = tmp_path / "none.sock"
    records.checkpoint()
    recorded_post()
    for command in ("check_parity", "rebuild_graph"):
        with pytest.raises(CommandError, match="does not respond"):
            call_command(command)
    assert stale("rdf").count() == 6


def test_the_graph_is_rebuilt_from_nothing(store: SparqlStore) -> None:
    records.checkpoint()
    post = recorded_post()
    even(store)
    erasure.erase(recorded_post(TEXT + " Again."), None)
    even(store)
    before = {str(quad) for quad in store.stream()}
    store.clear()
    Projection.objects.exclude(key=post.public_id).delete()
    call_command("rebuild_graph")
    assert {str(quad) for quad in store.stream()} == before and len(before) > 30
    assert not check(store).differences


def test_a_rebuild_moves_the_graph_to_another_base_iri(store: SparqlStore, settings: Settings) -> None:
    from kgbuilder import installation

    installation.this()
    records.checkpoint()
    recorded_post()
    even(store)
    settings.BASE_IRI = "https://news.example/kg/"
    assert installation.base_iri_differs()
    call_command("rebuild_graph")
    assert not installation.base_iri_differs()
    subjects = [str(quad.subject) for quad in store.stream()]
    assert subjects and all(subject.startswith("<https://news.example/kg/id/") for subject in subjects)


@pytest.mark.parametrize("form", ["nquads", "turtle", "jsonld"])
def test_the_export_holds_what_the_store_holds(store: SparqlStore, form: str, tmp_path: Path) -> None:
    records.checkpoint()
    recorded_post()
    recorded_post(TEXT + " Again.")
    even(store)
    call_command("export_graph", format=form, output=tmp_path / "graph")
    read = list(pyoxigraph.parse((tmp_path / "graph").read_bytes(), format=export.RDF_FORMATS[form]))
    held = list(store.stream())
    if form != "turtle":
        assert sorted(map(str, read)) == sorted(map(str, held))
    else:
        assert {str(quad.triple) for quad in read} == {str(quad.triple) for quad in held}
    assert b"\n" in (tmp_path / "graph").read_bytes()


def test_a_person_asks_through_the_guard(store: SparqlStore) -> None:
    records.checkpoint()
    recorded_post()
    projector.run("rdf")
    time.sleep(2)  # until the next query gets a new snapshot
    answer = sparql_store.query("SELECT ?s { ?s ?p ?o }", seconds=10, limit=2, accept="text/csv")
    assert answer.truncated and len(answer.body.splitlines()) == 3
    with pytest.raises(sparql_store.sparql_guard.QueryRefused):
        sparql_store.query("DROP ALL", seconds=10, limit=2)
    with pytest.raises(sparql_store.sparql_guard.QueryRefused, match="cannot be read"):
        sparql_store.query("SELECT * { ?s ?p ?o } GROUP BY ?s", seconds=10, limit=2)


def act(random_: random.Random, extractor: deterministic.Extractor) -> None:
    """Something that happens to a record: a post, an edit, a withdrawal, a return, a review, a merge, an undo, …"""
    words = [
        "Ann",
        "Bob",
        "Rome",
        "Lee",
        "Ada Byron",
        "met",
        "left",
        "wrote to",
        "and",
        "Oslo",
        "Zed",
        "1999",
        "in may",
    ]
    text = " ".join(random_.choices(words, k=random_.randint(3, 14)))
    posts = list(Post.objects.exclude(state=Post.State.ERASED).order_by("pk"))
    match random_.randrange(9):
        case 0 | 1 | 2:
            records.post(text, link=f"https://news.example/{random_.random()}")
        case 3 if posts:
            records.edit(random_.choice(posts), text)
        case 4 if posts:
            post = random_.choice(posts)
            state = Post.State.WITHDRAWN if post.state == Post.State.LIVE else Post.State.LIVE
            Post.objects.filter(pk=post.pk).update(state=state)
            projection_queue.mark_posts([post])
        case 5 if Assertion.objects.exists():
            assertion = random_.choice(list(Assertion.objects.select_related("reading__version__post").order_by("pk")))
            with contextlib.suppress(NothingToReview):
                reviews.review(
                    assertion.reading.version.post, assertion.statement, random_.choice(["accept", "reject"]), None
                )
        case 6 if Entity.objects.count() > 2:
            chosen = random_.sample(list(Entity.objects.order_by("pk")), 2)
            with contextlib.suppress(merges.NothingToMerge):
                merges.merge(chosen[0], chosen[1:], None)
        case 7 if Merge.objects.exists():
            merges.undo(random_.choice(list(Merge.objects.order_by("pk"))), None)
        case 8 if posts and random_.random() < 0.4:
            erasure.erase(random_.choice(posts), None)
    claims = readings_queue.claim("test", 10)
    for claimed, found in zip(claims, extractor.read([claimed.document for claimed in claims]), strict=True):
        recorder.record(claimed, varied(random_, found))


def varied(random_: random.Random, found: Extraction) -> Extraction:
    """With a factuality, perhaps a claimant, for each relation, and with dates of birth."""
    places = range(len(found.mentions))
    relations = [
        replace(
            one,
            factuality=random_.choice(FACTUALITIES),
            by=random_.choice([None, *places]),
            when=When(random_.choice(places), date(1999, 5, 1), date(1999, 5, random_.randint(1, 31))),
        )
        for one in found.relations
    ]
    dates = [
        ExtractedMention(match.start(), match.end(), "time", 0.9)
        for match in re.finditer(r"\b(1999|may)\b", found.text)
    ]
    born = [
        Relation(random_.choice(places), at, "date_of_birth", 0.9, factuality=random_.choice(FACTUALITIES))
        for at in range(len(places), len(places) + len(dates) if places else 0)
    ]
    return replace(found, mentions=(*found.mentions, *dates), relations=(*relations, *born))


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_the_record_the_graph_follows(store: SparqlStore, seed: int) -> None:
    """Random changes, projected now and then: the graph is always what a rebuild would make it."""
    records.checkpoint()
    random_, extractor = random.Random(seed), deterministic.Extractor()
    for _ in range(60):
        act(random_, extractor)
        if random_.random() < 0.3:
            projector.run("rdf", chunk=random_.choice([1, 3, 64]))
    even(store)
    held = {str(quad) for quad in store.stream()}
    exported = io.BytesIO()
    export.write(exported, "nquads")
    assert held == {str(quad) for quad in pyoxigraph.parse(exported.getvalue(), format=pyoxigraph.RdfFormat.N_QUADS)}
    assert Statement.objects.exists()


POINTS = [
    "claimed",
    "entities",
    "mentions",
    "before current",
    "marked",
    "recorded",
    "before replace",
    "replaced",
    "half marked done",
    "projected",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_any_point_loses_nothing_and_doubles_nothing(shared: Server, settings: Settings, point: str) -> None:
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = shared.socket, TOKEN
    store = shared.store()
    store.clear()
    records.checkpoint()
    for number in range(3):
        records.post(f"Ann met Bob in Rome, Lee wrote {number} times.")
    assert worker(shared, point) == 9, "it died at the given point"
    leases.free("worker")
    Projection.objects.update(due_at="2020-01-01T00:00:00Z")
    connection.cursor().execute("DELETE FROM knowledge_projectorlock")
    assert worker(shared, "") == 0
    assert Reading.objects.filter(stage=Reading.Stage.DONE).count() == 3
    expected = deterministic.Extractor().read([Document("", "Ann met Bob in Rome, Lee wrote 0 times.")])[0]
    assert Assertion.objects.count() == 3 * len(expected.relations) > 0
    assert not stale("rdf").exists()
    assert not check(store).differences


def worker(server: Server, point: str) -> int:
    """A process that claims, reads, records and projects on this test's database; it dies at `point`."""
    database = connection.settings_dict
    environ = os.environ | {"DEATH": point, "SOCKET": str(server.socket), "DATABASE_NAME": str(database["NAME"])}
    connection.close()
    return subprocess.run([sys.executable, "-m", "tests.knowledge.graphs.mortal"], env=environ, check=False).returncode


def test_a_mark_has_a_row_in_every_store_that_is_set_up(settings: Settings) -> None:
    records.checkpoint()
    post = recorded_post()
    settings.NEO4J_URL = "bolt://127.0.0.1:1"
    projection_queue.mark_posts([post])
    assert set(Projection.objects.filter(key=post.public_id).values_list("store", flat=True)) == {"rdf", "neo4j"}
