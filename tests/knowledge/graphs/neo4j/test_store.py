"""The record and a real Neo4j: projected, compared, repaired, rebuilt; and what a store that comes and goes gets."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from django.core.management import call_command
from pytest_django import Settings

from extraction.models import Post
from extraction.schema import Region, Relation
from kgbuilder.celery import LANES
from knowledge.entities import merges
from knowledge.graphs import projector, unit_builder
from knowledge.graphs.neo4j import parity as neo4j_parity
from knowledge.graphs.neo4j import rows as neo4j_rows
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.rdf import parity
from knowledge.graphs.units import StoreRefused, StoreUnavailable
from knowledge.models import Depiction, Entity, EntityName, Merge, Projection, ProjectorLock, Review, Statement
from knowledge.record import depictions, projection_queue
from knowledge.record.projection_queue import stale
from knowledge.recording import recorder, reviews
from tests import deterministic, records
from tests.knowledge.graphs.test_rdf_projection import NAMES, TEXT, TRIPLES, act, recorded_post
from tests.servers.neo4j import Neo4jServer, free_port
from tests.servers.sparql import TOKEN, serving

pytestmark = [pytest.mark.integration, pytest.mark.neo4j, pytest.mark.django_db]


@pytest.fixture
def store(neo4j_server: Neo4jServer, settings: Settings) -> Neo4jStore:
    """The store that the settings name, empty."""
    settings.NEO4J_URL = neo4j_server.url
    opened = Neo4jStore.from_settings()
    opened.rows("RETURN 1")
    with opened._session() as session:
        session.run("MATCH (n) DETACH DELETE n").consume()
    return opened


def check(store: Neo4jStore) -> parity.Report:
    return neo4j_parity.check(store, "neo4j")


def even(store: Neo4jStore) -> None:
    projector.run("neo4j", opened=store)
    report = check(store)
    assert not report.differences, report.differences


def write(store: Neo4jStore, query: str, **parameters: object) -> None:
    with store._session() as session:
        session.run(query, parameters).consume()


def test_entities_posts_and_relationships_are_as_in_the_record(store: Neo4jStore) -> None:
    records.checkpoint()
    first, second = recorded_post(), recorded_post(TEXT + " Again.")
    even(store)
    [row] = store.rows(
        "MATCH (a:Person)-[r:PLACE_OF_BIRTH]->(b:Location) RETURN a.name AS a, b.name AS b, r.posts AS posts, "
        "r.scores AS scores, r.score AS score, r.support AS support, r.accepted AS accepted"
    )
    assert (row["a"], row["b"], row["score"], row["support"], row["accepted"]) == ("Ann", "Rome", 0.9, 2, False)
    assert row["posts"] == sorted(str(post.public_id) for post in (first, second))
    assert store.rows("MATCH (:Post)-[:MENTIONS]->(e:Entity) RETURN count(*) AS n") == [{"n": 6}]
    assert store.rows("MATCH ()-[r:SPOUSE]->() RETURN count(r) AS n") == [{"n": 1}], "a symmetric one stands once"
    [post] = store.rows("MATCH (p:Post {id: $id}) RETURN p.title AS title, p.url AS url", id=str(first.public_id))
    assert post == {"title": "Wedding", "url": first.link}


def test_it_makes_its_constraints_once_and_they_hold(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    even(store)
    names = {row["name"] for row in store.rows("SHOW CONSTRAINTS YIELD name RETURN name")}
    assert {"kgbuilder_entity_id", "kgbuilder_post_id", "kgbuilder_spouse_id"} <= names
    write(store, "CREATE (:Entity {id: '1'})")
    with pytest.raises(StoreRefused, match="ConstraintValidation"):
        write(store, "CREATE (:Entity {id: '1'})")
    with pytest.raises(StoreRefused, match="ConstraintValidation"):
        write(store, "CREATE ()-[:SPOUSE {id: '1'}]->(), ()-[:SPOUSE {id: '1'}]->()")


def test_writing_twice_changes_nothing(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    even(store)
    held = everything(store)
    projector._mark_everything("neo4j", "")
    even(store)
    assert everything(store) == held


def everything(store: Neo4jStore) -> list[str]:
    lines = [line for _, line in (*store.entities(), *store.posts())]
    return sorted(lines + [line for _, line in store.relationships()])


def test_a_type_is_a_label_that_changes_with_it(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    even(store)
    rome = records.entity("Rome")
    Entity.objects.filter(pk=rome.pk).update(type="organization")
    projection_queue.mark(projection_queue.Kind.ENTITY, [rome.public_id])
    even(store)
    [row] = store.rows("MATCH (e:Entity {id: $id}) RETURN labels(e) AS labels", id=str(rome.public_id))
    assert sorted(row["labels"]) == ["Entity", "Organization"]


def test_deletes_and_verdicts_follow(store: Neo4jStore) -> None:
    records.checkpoint()
    first, second = recorded_post(), recorded_post(TEXT + " Again.")
    even(store)
    Post.objects.filter(pk=second.pk).update(state=Post.State.WITHDRAWN)
    projection_queue.mark_posts([second])
    even(store)
    assert store.rows("MATCH ()-[r:SPOUSE]->() RETURN r.posts AS posts") == [{"posts": [str(first.public_id)]}]
    born = Statement.objects.get(relation="place_of_birth")
    reviews.review(first, born, Review.Verdict.REJECT, None)
    even(store)
    assert store.rows("MATCH ()-[r:PLACE_OF_BIRTH]->() RETURN count(r) AS n") == [{"n": 0}]
    Post.objects.filter(pk=first.pk).update(state=Post.State.WITHDRAWN)
    projection_queue.mark_posts([first])
    even(store)
    assert store.rows("MATCH (n:Entity|Post) RETURN count(n) AS n") == [{"n": 0}]


def test_a_merge_makes_one_relationship_of_two_and_its_undo_two_of_one(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    other = records.post("Anna was born in Rome.")
    records.read(other, [("Anna", "person"), ("Rome", "location")], [("Anna", "place_of_birth", "Rome")])
    even(store)
    merges.merge(records.entity("Ann"), [records.entity("Anna")], None)
    even(store)
    assert store.rows("MATCH ()-[r:PLACE_OF_BIRTH]->() RETURN r.support AS n") == [{"n": 2}]
    assert store.rows("MATCH (e:Person) RETURN count(e) AS n") == [{"n": 2}]
    merges.undo(Merge.objects.get(), None)
    even(store)
    assert store.rows("MATCH ()-[r:PLACE_OF_BIRTH]->() RETURN r.support AS n") == [{"n": 1}, {"n": 1}]


AWKWARD = [
    'O\'Brien "the" `tick` \\ back\\slash \\u0041 $param',
    "{braces} }{ } ; DROP ALL # // /* --",
    "line\nbreak\r\n and\ttab \u2028 \u0007",
    "émoji 🜁 👩‍👩‍👧 ‏שלום",
    "x" * 10_000,
    "🜁" * 10_000,
]


def test_names_of_every_kind_arrive_intact_in_both_graphs(store: Neo4jStore, settings: Settings) -> None:
    records.checkpoint()
    recorded_post()
    ann = records.entity("Ann")
    for name in AWKWARD:
        EntityName.objects.create(entity=ann, name=name, key="x", language="en", source="text")
        rome = records.entity("Rome")
        Entity.objects.filter(pk=rome.pk).update(label=name)
        projection_queue.mark(projection_queue.Kind.ENTITY, [ann.public_id, rome.public_id])
        even(store)
        assert store.rows("MATCH (e:Location) RETURN e.name AS name") == [{"name": name}]
        Entity.objects.filter(pk=rome.pk).update(label="Rome")
    [row] = store.rows("MATCH (e:Entity {id: $id}) RETURN e.names AS names", id=str(ann.public_id))
    assert set(AWKWARD) <= set(row["names"])
    with serving() as server:
        settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = server.socket, TOKEN
        rdf = server.store()
        projector.run("rdf", opened=rdf)
        assert not parity.check(rdf, "rdf").differences
        found = {
            row["o"]["value"]
            for row in rdf.select("SELECT ?o { ?s <http://www.w3.org/2004/02/skos/core#altLabel> ?o }")
        }
        assert set(AWKWARD) <= found


def test_a_long_name_that_a_reader_finds_is_kept_whole(store: Neo4jStore) -> None:
    records.checkpoint()
    name = "Ann " + "Very " * 2000 + "Long"
    post = records.post(f"{name} met Bob.")
    records.read(post, [(name, "person"), ("Bob", "person")], [(name, "sibling", "Bob")])
    even(store)
    assert store.rows("MATCH (e:Person) WHERE e.name STARTS WITH 'Ann' RETURN e.name AS name") == [{"name": name}]


STRANGE = [
    "MATCH ()-[r:PLACE_OF_BIRTH]->() DELETE r",
    "MATCH ()-[r:PLACE_OF_BIRTH]->() SET r.score = 0.1",
    "MATCH (:Entity {name: 'Ann'})-[r:PLACE_OF_BIRTH]->() SET r.id = 'x'",
    "MATCH (a {name: 'Rome'}), (b {name: 'Ann'}) CREATE (a)-[:PLACE_OF_BIRTH {id: 'y'}]->(b)",
    "MATCH (a {name: 'Ann'}), (b {name: 'Rome'}) CREATE (a)-[:PLACE_OF_BIRTH]->(b)",
    "MATCH (a {name: 'Ann'}), (b {name: 'Rome'}) CREATE (a)-[:HATES {id: 'z'}]->(b)",
    "CREATE (:Entity {id: '00000000-0000-4000-8000-000000000001', name: 'nobody'})",
    "CREATE (:Entity {id: 'no id', name: 'nobody'})",
    "CREATE (:Post {id: '00000000-0000-4000-8000-000000000002'})",
    "MATCH (a:Entity {name: 'Ann'}) SET a.name = 'Anna'",
    "MATCH (a:Entity {name: 'Ann'}) SET a:Location",
    "MATCH (a:Entity {name: 'Ann'}) SET a:Strange",
    "MATCH (a:Entity {name: 'Ann'}) DETACH DELETE a",
    "MATCH (:Post)-[m:MENTIONS]->(:Entity {name: 'Bob'}) DELETE m",
    "MATCH (p:Post) DETACH DELETE p",
    "MATCH (p:Post), (e:Entity {name: 'Bob'}) CREATE (p)-[:MENTIONS]->(e)",
]


@pytest.mark.parametrize("which", range(len(STRANGE)))
def test_every_difference_is_found_and_repaired(store: Neo4jStore, which: int) -> None:
    records.checkpoint()
    recorded_post()
    even(store)
    write(store, STRANGE[which])
    report = check(store)
    assert report.wrong and not report.pending, report.differences
    neo4j_parity.repair(store, report)
    even(store)


def seen() -> Post:
    """A post whose picture shows Ann and, at another place, Bob."""
    made = records.post(TEXT)
    shown = [Region((0.1, 0.2, 0.3, 0.4), "person", 0.9), Region((0.5, 0.2, 0.3, 0.4), "person", 0.8)]
    found = records.extraction(TEXT, NAMES, TRIPLES)
    depicted = tuple(Relation(place, region, "depicts", 0.8) for place, region in enumerate(shown))
    assert recorder.record(records.claim_of(made), replace(found, relations=(*found.relations, *depicted)))
    return made


def test_depictions_are_nodes_and_follow_verdicts(store: Neo4jStore) -> None:
    records.checkpoint()
    post = seen()
    even(store)
    query = (
        "MATCH (p:Post)-[:SHOWS]->(i:Picture)-[:HAS_REGION]->(r:PictureRegion)-[d:DEPICTS]->(e:Entity) "
        "RETURN p.id AS post, i.number AS number, r.x AS x, d.score AS score, e.name AS name ORDER BY name"
    )
    rows = store.rows(query)
    assert [(row["post"], row["number"], row["x"], row["name"]) for row in rows] == [
        (str(post.public_id), 0, 0.1, "Ann"),
        (str(post.public_id), 0, 0.5, "Bob"),
    ]
    depictions.review(Depiction.objects.get(mention__entity__label="Bob"), "reject", None)
    even(store)
    assert [row["name"] for row in store.rows(query)] == ["Ann"]
    Post.objects.update(state=Post.State.WITHDRAWN)
    projection_queue.mark_posts(Post.objects.all())
    even(store)
    assert store.rows("MATCH (n:Picture|PictureRegion) RETURN count(n) AS n") == [{"n": 0}]


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (:PictureRegion)-[d:DEPICTS]->(:Entity {name: 'Ann'}) SET d.score = 0.1",
        "MATCH (r:PictureRegion), (e:Entity {name: 'Rome'}) CREATE (r)-[:DEPICTS]->(e)",
        "MATCH (i:Picture)-[h:HAS_REGION]->() DELETE h",
        "CREATE (:PictureRegion {id: 'x', post: '00000000-0000-4000-8000-000000000002'})",
        "MATCH (e:Entity {name: 'Ann'}) DETACH DELETE e",
    ],
)
def test_differences_of_pictures_are_found_and_repaired(store: Neo4jStore, query: str) -> None:
    records.checkpoint()
    seen()
    even(store)
    write(store, query)
    report = check(store)
    assert report.wrong and not report.pending, report.differences
    neo4j_parity.repair(store, report)
    even(store)


def test_what_is_pending_is_distinguished_from_what_is_wrong(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    report = check(store)
    assert len(report.pending) == 6 and not report.wrong
    projector.run("neo4j", opened=store)
    Post.objects.update(state=Post.State.WITHDRAWN)
    projection_queue.mark_posts(Post.objects.all())
    report = check(store)
    assert len(report.pending) == 6 and not report.wrong


def test_anothers_nodes_in_the_same_database_are_left_alone(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    write(store, "CREATE (:Theirs {id: '1'})-[:KNOWS]->(:Theirs {id: '2'})")
    even(store)
    store.clear()
    assert store.rows("MATCH (n:Theirs)-[:KNOWS]->() RETURN count(n) AS n") == [{"n": 1}]


def test_the_commands_know_both_stores(
    store: Neo4jStore, settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LANES, "project.neo4j", LANES["project.rdf"])  # as where NEO4J_URL is set from the start
    records.checkpoint()
    recorded_post()
    with serving() as server:
        settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = server.socket, TOKEN
        call_command("rebuild_graph")
        call_command("rebuild_graph", store="neo4j")
        call_command("check_parity")
        output = capsys.readouterr().out
        assert "neo4j: 4 posts and entities, 2 relationships" in output and output.count("0 wrong, 0 pending") == 2
        write(store, STRANGE[0])
        with pytest.raises(SystemExit):
            call_command("check_parity")
        output = capsys.readouterr().out
        assert "WRONG: statement" in output and "PLACE_OF_BIRTH" in output
        call_command("check_parity", repair=True)


def test_an_unavailable_store_delays_only_itself(store: Neo4jStore, settings: Settings) -> None:
    settings.NEO4J_URL = f"bolt://127.0.0.1:{free_port()}"
    records.checkpoint()
    recorded_post()
    done = projector.run("neo4j")
    assert "does not respond" in done.unavailable and stale("neo4j").filter(attempts=0).count() == 6
    assert records.project().done == 6, "the other store goes on"
    assert not stale("rdf").exists()


def test_posts_recorded_while_no_neo4j_was_set_up_are_projected_later(store: Neo4jStore, settings: Settings) -> None:
    url, settings.NEO4J_URL = settings.NEO4J_URL, ""
    records.checkpoint()
    recorded_post()
    assert not Projection.objects.filter(store="neo4j").exists()
    settings.NEO4J_URL = url
    even(store)
    settings.NEO4J_URL = ""
    projector.forget_others(["rdf"])
    recorded_post(TEXT + " Again.")
    settings.NEO4J_URL = url
    even(store)
    assert ProjectorLock.objects.get(store="neo4j").identity == store.identity()


def test_a_wiped_store_is_recognised_and_filled_again(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    even(store)
    write(store, "MATCH (n) DETACH DELETE n")
    even(store)
    assert len(everything(store)) > 5


def test_a_late_request_of_an_earlier_projector_is_refused(store: Neo4jStore) -> None:
    records.checkpoint()
    recorded_post()
    earlier, later = Neo4jStore.from_settings(), Neo4jStore.from_settings()
    earlier.fence, later.fence = 5, 6
    units = unit_builder.units(Projection.objects.filter(store="neo4j"), with_support=True)
    earlier.replace(units)
    later.replace(units[:1])
    with pytest.raises(StoreUnavailable, match="later projector"):
        earlier.replace(units)


def test_an_update_that_neo4j_refuses_keeps_its_error_while_others_continue(
    store: Neo4jStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.checkpoint()
    recorded_post()
    original = neo4j_rows.entity_row

    def broken(unit: neo4j_rows.EntityUnit) -> neo4j_rows.Row | None:
        row = original(unit)
        if row and row["properties"]["name"] == "Ann":
            row["properties"]["key"] = "x" * 40_000  # larger than an index takes
        return row

    monkeypatch.setattr(neo4j_rows, "entity_row", broken)
    done = projector.run("neo4j", opened=store)
    assert (done.done, done.failed) == (5, 1)
    assert "too large to index" in stale("neo4j").get().error


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_the_record_the_graph_follows(store: Neo4jStore, seed: int) -> None:
    """Random changes, projected now and then: the graph is always what a rebuild would make it."""
    records.checkpoint()
    random_, extractor = random.Random(seed), deterministic.Extractor()
    for _ in range(60):
        act(random_, extractor)
        if random_.random() < 0.2:
            projector.run("neo4j", opened=store, chunk=random_.choice([1, 3, 64]))
    even(store)
    held = everything(store)
    projector.start_over("neo4j", store)
    assert not list(store.entities())
    even(store)
    assert everything(store) == held
