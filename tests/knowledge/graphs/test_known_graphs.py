"""Facts of sources are in both graphs, apart from extracted statements, and follow changes of links."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from pytest_django import Settings

from knowledge.entities import merges
from knowledge.graphs import projector
from knowledge.graphs.neo4j import parity as neo4j_parity
from knowledge.graphs.neo4j import queries
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.rdf import parity, sparql_store
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.linking import link_queue
from knowledge.models import Link
from knowledge.ontology import vocabulary
from knowledge.record import projection_queue
from knowledge.views.queries import cypher_examples, sparql_examples
from tests import records
from tests.servers.neo4j import Neo4jServer
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

TEXT = "Ada, daughter of Mary, born in 1816, wed William in London."
NAMES = [("Ada", "person"), ("Mary", "person"), ("1816", "time"), ("William", "person"), ("London", "location")]
TRIPLES = [("Ada", "mother", "Mary"), ("Ada", "date_of_birth", "1816"), ("Ada", "spouse", "William")]
TRIPLES += [("Ada", "residence", "London")]
FACTS = [
    ["P25", "Q2", 'Anne "Annabella" \\ Byron'],
    ["P569", "1815-12-10T00:00:00Z", ""],
    ["P26", "Q3", "William King"],
    ["P18", "http://evil.example/> <x> <y", ""],
    ["not> <a", "Q1", "property"],
]
ADA = "http://dbpedia.org/resource/Ada_Lovelace"
PREFIXES = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in vocabulary.PREFIXES.items())


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def rdf(shared: Server, settings: Settings) -> SparqlStore:
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = shared.socket, TOKEN
    opened = shared.store()
    opened.clear()
    return opened


@pytest.fixture
def neo4j(neo4j_server: Neo4jServer, settings: Settings) -> Neo4jStore:
    settings.NEO4J_URL = neo4j_server.url
    opened = Neo4jStore.from_settings()
    with opened._session() as session:
        session.run("MATCH (n) DETACH DELETE n").consume()
    return opened


def linked_post() -> None:
    records.checkpoint()
    records.read(records.post(TEXT), NAMES, TRIPLES)
    for name, target in (("Ada", "Q7259"), ("Mary", "Q9"), ("William", "Q3")):
        know(name, target)


def know(name: str, target: str) -> None:
    """Store a link as linking does."""
    row = Link.objects.get(entity__label=name)
    row.target, row.facts = target, FACTS if name == "Ada" else []
    row.description, row.categories, row.abstract = "English mathematician", ["mathematicians"], "Ada was one."
    row.save()
    link_queue.mark(row.entity)


def even(store: SparqlStore) -> None:
    projector.run("rdf")
    report = parity.check(store, "rdf")
    assert not report.differences, report.differences


def even_neo4j(store: Neo4jStore) -> None:
    projector.run("neo4j", opened=store)
    report = neo4j_parity.check(store, "neo4j")
    assert not report.differences, report.differences


def compared(store: SparqlStore) -> dict[str, tuple[str, str]]:
    rows = store.select(
        PREFIXES
        + """SELECT ?p ?how ?name { GRAPH ?g { ?g a kg:Comparison ; kg:comparedRelation ?p ; kg:standing ?how ;
             kg:knownName ?name ; dcterms:source "Wikidata" ; prov:wasDerivedFrom wd:Q7259 } }"""
    )
    short = [{key: term["value"].rpartition("#")[2] for key, term in row.items()} for row in rows]
    return {row["p"]: (row["how"], row["name"]) for row in short}


CONFLICTS = {
    "mother": ("InConflict", 'Anne "Annabella" \\ Byron'),
    "date_of_birth": ("InConflict", "1815-12-10T00:00:00Z"),
    "spouse": ("AlreadyKnown", "William King"),
}


def test_facts_and_comparisons_have_graphs_of_their_own(rdf: SparqlStore) -> None:
    linked_post()
    even(rdf)
    assert compared(rdf) == CONFLICTS
    ada = vocabulary.entity_iri(records.entity("Ada").public_id)
    rows = rdf.select(f"SELECT ?p ?o {{ GRAPH <{ada}#known> {{ <{ada}> ?p ?o }} }}")
    found = {(row["p"]["value"].rpartition("/")[2], row["o"]["value"]) for row in rows}
    assert found == {
        ("P25", vocabulary.WIKIDATA + "Q2"),
        ("P26", vocabulary.WIKIDATA + "Q3"),
        ("P569", "1815-12-10T00:00:00Z"),
        ("P18", "http://evil.example/> <x> <y"),
        ("description", "English mathematician"),
        ("abstract", "Ada was one."),
        ("keywords", "mathematicians"),
    }
    assert not rdf.ask(PREFIXES + "ASK { ?s wdt:P25 ?o }"), "a query without GRAPH sees extracted statements alone"
    assert not rdf.ask(PREFIXES + "ASK { ?s a kg:Comparison }")


def linked_to_dbpedia() -> str:
    """Store facts that only DBpedia has; return the IRI of Ada."""
    linked_post()
    know("London", "Q84")
    row = Link.objects.get(entity__label="Ada")
    row.facts, row.addresses = [*FACTS, ["P551", "Q84", "London", "dbo:residence"]], {"dbpedia": ADA}
    row.facts.append(["P22", "Q4", "A Poet", "dbo:evil> <x"])
    row.save()
    link_queue.mark(row.entity)
    return vocabulary.entity_iri(row.entity.public_id)


def test_facts_of_dbpedia_have_its_own_properties(rdf: SparqlStore) -> None:
    ada = linked_to_dbpedia()
    even(rdf)
    rows = rdf.select(
        PREFIXES
        + f"""SELECT ?from {{ GRAPH ?g {{ ?g a kg:Comparison ; kg:comparedSubject <{ada}> ;
        kg:comparedRelation kg:residence ; kg:standing kg:AlreadyKnown ; kg:knownName "London" ;
        dcterms:source "DBpedia" ; prov:wasDerivedFrom ?from }} }}"""
    )
    assert [row["from"]["value"] for row in rows] == [ADA]
    known = f"GRAPH <{ada}#known>"
    assert rdf.ask(
        f"ASK {{ {known} {{ <{ada}> <http://dbpedia.org/ontology/residence> <{vocabulary.WIKIDATA}Q84> }} }}"
    )
    assert rdf.ask(PREFIXES + f'ASK {{ {known} {{ <{ada}#known> dcterms:source "Wikidata", "DBpedia" }} }}')
    assert not rdf.ask(PREFIXES + f"ASK {{ {known} {{ <{ada}> wdt:P551 ?o }} }}")
    assert rdf.ask(PREFIXES + f"ASK {{ {known} {{ <{ada}> wdt:P22 wd:Q4 }} }}"), "an unknown property becomes no IRI"


@pytest.mark.neo4j
def test_neo4j_names_dbpedia_too(neo4j: Neo4jStore, rdf: SparqlStore) -> None:
    linked_to_dbpedia()
    even_neo4j(neo4j)
    [row] = neo4j.rows("MATCH (n:Entity {name: 'Ada'}) RETURN n.facts AS facts, n.known_to AS to")
    assert row["to"] == "Wikidata, DBpedia" and "dbo:residence Q84 London" in row["facts"]
    [row] = neo4j.rows("MATCH ()-[r:RESIDENCE]->() RETURN r.standing AS how, r.known_to AS to")
    assert (row["how"], row["to"]) == ("known", "DBpedia")


def test_a_verdict_that_changes_is_projected_again(rdf: SparqlStore) -> None:
    linked_post()
    even(rdf)
    Link.objects.filter(entity__label="Mary").update(target="Q2")
    link_queue.mark(records.entity("Mary"))
    assert ("statement", "Ada mother Mary") in records.marked()
    even(rdf)
    assert compared(rdf) == CONFLICTS | {"mother": ("AlreadyKnown", 'Anne "Annabella" \\ Byron')}
    Link.objects.filter(entity__label="Ada").update(target="", facts=[])
    link_queue.mark(records.entity("Ada"))
    even(rdf)
    assert compared(rdf) == {}
    ada = vocabulary.entity_iri(records.entity("Ada").public_id)
    assert not rdf.ask(f"ASK {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), '{ada}#')) }}")


def test_a_merged_entity_is_known_by_what_it_was_merged_with(rdf: SparqlStore) -> None:
    linked_post()
    even(rdf)
    done = merges.merge(records.entity("London"), [records.entity("Ada")], None)
    even(rdf)
    assert compared(rdf) == CONFLICTS
    london = vocabulary.entity_iri(records.entity("London").public_id)
    assert rdf.ask(f"ASK {{ GRAPH <{london}#known> {{ ?s ?p ?o }} }}")
    merges.undo(done, None)
    even(rdf)
    assert not rdf.ask(f"ASK {{ GRAPH <{london}#known> {{ ?s ?p ?o }} }}")


def test_differences_of_known_facts_are_found_and_repaired(rdf: SparqlStore) -> None:
    linked_post()
    even(rdf)
    ada, mary = (vocabulary.entity_iri(records.entity(name).public_id) for name in ("Ada", "Mary"))
    graph = f"{ada}#mother-{records.entity('Mary').public_id}"
    for text in (
        f"DROP GRAPH <{graph}>",
        f"INSERT DATA {{ GRAPH <{graph}> {{ <{ada}> <{ada}> 1 }} }}",
        f"DROP GRAPH <{ada}#known>",
        f"INSERT DATA {{ GRAPH <{mary}#mother-{records.entity('Ada').public_id}> {{ <{ada}> <{ada}> 1 }} }}",
    ):
        rdf.update(text)
        report = parity.check(rdf, "rdf")
        assert len(report.wrong) == 1 and not report.pending, text
        parity.repair(rdf, report)
        even(rdf)


def test_the_example_shows_the_fact_of_wikidata_with_the_statement(rdf: SparqlStore) -> None:
    linked_post()
    even(rdf)
    [text] = [one.text for one in sparql_examples.EXAMPLES if one.key == "contradicted"]
    answer = sparql_store.query(text, 10, 100, "text/csv").body.decode()
    lines = answer.splitlines()[1:]
    assert len(lines) == 2 and 'Ada,mother,Mary,Wikidata,"Anne ""Annabella"" \\ Byron"' in lines[1]
    assert lines[0].startswith("Ada,date_of_birth,1816,Wikidata,1815-12-10T00:00:00Z")


@pytest.mark.neo4j
def test_neo4j_has_comparisons_too_and_follows(neo4j: Neo4jStore, rdf: SparqlStore) -> None:
    linked_post()
    even_neo4j(neo4j)
    ask = "MATCH (:Entity {name: 'Ada'})-[r]-() WHERE r.standing IS NOT NULL RETURN type(r) AS type, r.standing AS is"
    standing = {row["type"]: row["is"] for row in neo4j.rows(ask)}
    assert standing == {"MOTHER": "conflict", "SPOUSE": "known", "RESIDENCE": "said"}
    [row] = neo4j.rows(
        "MATCH (n:Entity {name: 'Ada'}) RETURN n.facts AS facts, n.description AS about, n.known_to AS to"
    )
    assert row["to"] == "Wikidata" and row["about"] == "English mathematician"
    assert 'P25 Q2 Anne "Annabella" \\ Byron' in row["facts"] and "P569 1815-12-10T00:00:00Z" in row["facts"]
    [text] = [one.text for one in cypher_examples.EXAMPLES if one.key == "contradicted"]
    answer = queries.query(text, {}, 20, 100)
    assert [(row[1], row[3], row[4]) for row in answer.rows] == [("MOTHER", "Wikidata", 'Anne "Annabella" \\ Byron')]
    Link.objects.filter(entity__label="Ada").update(target="", facts=[])
    link_queue.mark(records.entity("Ada"))
    even_neo4j(neo4j)
    assert {row["is"] for row in neo4j.rows(ask)} == {"said"}


def test_a_rebuilt_graph_holds_the_same(rdf: SparqlStore) -> None:
    linked_post()
    even(rdf)
    before = set(rdf.stream())
    call_command("rebuild_graph", "--store", "rdf", verbosity=0)
    even(rdf)
    assert set(rdf.stream()) == before


def test_only_what_can_be_compared_is_marked_with_its_entity() -> None:
    linked_post()
    records.settle()
    link_queue.mark(records.entity("Ada"))
    assert {name for kind, name in records.marked() if kind == "statement"} == {
        "Ada mother Mary", "Ada date_of_birth 1816", "Ada spouse William", "Ada residence London",
    }  # fmt: skip
    assert projection_queue.stale("rdf").exists()
