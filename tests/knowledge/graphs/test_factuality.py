"""What graphs make of what a text plans, alleges or denies, and of times and numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from importlib import import_module

import pytest
import rdflib
from django.apps import apps
from pytest_django import Settings

from extraction.models import Post
from extraction.schema import Factuality
from knowledge.entities import merges
from knowledge.graphs import export, projector, unit_builder
from knowledge.graphs.neo4j import rows as neo4j_rows
from knowledge.graphs.rdf import parity, sparql_store
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.graphs.units import AmountContent, StatementUnit, TimeContent, Value
from knowledge.models import Entity, Mention, ProjectorLock, Statement
from knowledge.ontology import vocabulary
from knowledge.record import current
from knowledge.recording import recorder, reviews
from knowledge.views.queries import sparql_examples
from tests import factories, records
from tests.knowledge.ontology.test_shacl import conforms
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = pytest.mark.django_db

PREFIXES = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in vocabulary.PREFIXES.items())
BORN = "Ada was born in 1815, met Bob on 10 December 1815 and left in 1816."
NAMES = [("Ada", "person"), ("Bob", "person"), ("1815", "time"), ("1816", "time")]


def dealt(factuality: Factuality = "alleged", again: Post | None = None) -> Post:
    """A post with the deal, or that post with another version of it."""
    post = again or records.post(records.DEAL)
    if again:
        records.edit(post, records.DEAL)
    recorder.record(records.claim_of(post), records.deal(factuality))
    post.refresh_from_db()
    return post


def born(text: str = BORN) -> Post:
    post = records.post(text)
    records.read(post, [one for one in NAMES if one[0] in text], [("Ada", "date_of_birth", "1815")])
    post.refresh_from_db()
    return post


def statement(relation: str) -> StatementUnit:
    [unit] = unit_builder.statements([Statement.objects.get(relation=relation).public_id], with_support=True)
    return unit


@pytest.fixture(autouse=True)
def deployed() -> None:
    records.checkpoint()


def test_a_denied_assertion_supports_nothing_and_is_in_no_graph() -> None:
    post = dealt()
    assert [str(one.statement) for one in current.denials()] == ["Facebook sued Ann"]
    denied = statement("sued")
    assert not denied.present and len(denied.gone) == 1
    [unit] = unit_builder.posts([post.public_id])
    assert unit.content and [one.triple.relation for one in unit.content.assertions] == ["acquired"]


def test_an_assertion_comes_with_its_claimant_time_and_sum() -> None:
    post = dealt()
    [unit] = unit_builder.posts([post.public_id])
    assert unit.content is not None
    [one] = unit.content.assertions
    zoe = records.entity("Zoe").public_id
    when = TimeContent("March", date(2014, 3, 1), date(2014, 3, 31))
    amount = AmountContent("$19 billion", 19e9, "USD")
    assert (one.factuality, one.claimant, one.when, one.amount) == ("alleged", zoe, when, amount)
    bought = statement("acquired")
    assert bought.factualities == ("alleged",)
    [support] = bought.support
    assert (support.claimants, support.when, support.amount) == ((zoe,), when, amount)


def test_the_strongest_support_of_a_statement_counts() -> None:
    dealt()
    other = records.post(f"{records.DEAL} Again.")
    recorder.record(records.claim_of(other), records.deal("planned"))
    assert statement("acquired").factualities == ("planned",)
    [edge] = [one for one in current.statements_of(records.entity("WhatsApp")) if one.relation == "acquired"]
    assert (edge.factuality, edge.posts) == ("planned", 2)
    third = records.post(f"{records.DEAL} At last.")
    recorder.record(records.claim_of(third), records.deal("stated"))
    bought = statement("acquired")
    assert (bought.factualities, bought.edges) == ((), ((bought.present[0], "stated"),))


def test_a_verdict_accepts_a_statement_as_what_it_was_read() -> None:
    post = dealt()
    reviews.review(post, Statement.objects.get(relation="acquired"), "accept", factories.make_user("editor"))
    Mention.objects.all().delete()
    assert statement("acquired").factualities == ("alleged",)


def test_who_accepts_a_denial_does_not_accept_the_statement() -> None:
    post = dealt()
    given = reviews.review(post, Statement.objects.get(relation="sued"), "accept", factories.make_user("editor"))
    assert given.factuality == "denied" and not statement("sued").present
    assert not current.accepting().exists()


def test_a_merge_of_a_claimant_marks_what_it_claims() -> None:
    dealt()
    records.settle()
    other = Entity.objects.create(type="person", label="Zoe Lee", key="zoe lee|person")
    merges.merge(other, [records.entity("Zoe")], None)
    assert ("statement", "Facebook acquired WhatsApp") in records.marked()
    assert statement("acquired").support[0].claimants == (other.public_id,)


def test_a_value_is_shown_with_its_entity_and_is_no_entity() -> None:
    post = born()
    ada, year = records.entity("Ada"), records.entity("1815")
    [shown, hidden] = unit_builder.entities([ada.public_id, year.public_id])
    assert shown.content is not None and hidden.content is None
    [value] = shown.content.values
    assert (value.relation, value.factuality, value.value) == ("date_of_birth", "stated", Value("1815", "gYear"))
    unit = statement("date_of_birth")
    assert unit.values == (Value("1815", "gYear"),) and unit.present == unit.gone and not unit.edges
    [content] = unit_builder.posts([post.public_id])
    assert content.content and set(content.content.mentions) == {ada.public_id, records.entity("Bob").public_id}
    assert set(current.entities()) == {ada, records.entity("Bob")}
    assert current.neighbours(ada)[0] == []


def test_a_value_that_is_merged_is_shown_anew_with_its_entity() -> None:
    born()
    records.settle()
    other = Entity.objects.create(type="time", label="1815-12-10", key="1815-12-10|time")
    merges.merge(other, [records.entity("1815")], None)
    assert ("entity", "Ada") in records.marked()
    [unit] = unit_builder.entities([records.entity("Ada").public_id])
    assert unit.content and [one.value for one in unit.content.values] == [Value("1815-12-10", "date")]


def test_a_value_that_says_nothing_of_a_thing_is_in_no_graph() -> None:
    post = records.post(BORN)
    records.read(post, NAMES, [("1816", "follows", "1815"), ("Ada", "follows", "1815"), ("1815", "followed_by", "Ada")])
    units = unit_builder.statements(list(Statement.objects.values_list("public_id", flat=True)), with_support=True)
    assert [one.present for one in units] == [()] * 3 and all(one.gone for one in units)
    [unit] = unit_builder.posts([post.public_id])
    assert unit.content and not unit.content.assertions


def test_rows_of_a_property_graph_hold_the_qualifiers_of_a_statement() -> None:
    dealt()
    [row] = neo4j_rows.relationship_rows(statement("acquired"))
    qualifiers = {name: row["properties"][name] for name in ("factuality", "claimed_by", "amount", "amount_unit")}
    zoe = str(records.entity("Zoe").public_id)
    assert qualifiers == {"factuality": "alleged", "claimed_by": [zoe], "amount": 19e9, "amount_unit": "USD"}
    assert row["properties"]["when_earliest"] == date(2014, 3, 1)
    assert neo4j_rows.relationship_rows(statement("sued")) == []


def test_a_value_is_a_property_of_its_node() -> None:
    born()
    [unit] = unit_builder.entities([records.entity("Ada").public_id])
    row = neo4j_rows.entity_row(unit)
    assert row is not None and row["properties"]["date_of_birth"] == ["1815"]
    assert neo4j_rows.relationship_rows(statement("date_of_birth")) == []


def test_an_export_has_the_account_of_each_statement() -> None:
    dealt()
    born()
    out = io.BytesIO()
    export.write(out, "csv")
    rows = {row["relation"]: row for row in csv.DictReader(io.StringIO(out.getvalue().decode()))}
    bought, birth = rows["acquired"], rows["date_of_birth"]
    zoe = str(records.entity("Zoe").public_id)
    assert [bought[name] for name in ("factuality", "claimed_by", "when", "amount", "amount_unit")] == [
        *("alleged", zoe, "2014-03", "19000000000.0", "USD")
    ]
    assert [birth[name] for name in ("tail_id", "tail", "tail_type", "factuality")] == ["", "1815", "time", "stated"]
    assert set(rows) == {"acquired", "date_of_birth"}


def test_all_of_it_has_its_shape() -> None:
    dealt()
    born()
    out = io.BytesIO()
    export.write(out, "turtle")
    graph = rdflib.Graph().parse(data=out.getvalue(), format="turtle")
    good, report = conforms(graph)
    assert good, report
    kg = rdflib.Namespace(vocabulary.NAMESPACE)
    [assertion] = graph.subjects(kg.factuality, kg.Alleged)
    graph.set((assertion, kg.factuality, kg.Denied))
    assert not conforms(graph)[0]


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def store(shared: Server, settings: Settings) -> SparqlStore:
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = shared.socket, TOKEN
    opened = shared.store()
    opened.clear()
    return opened


def even(store: SparqlStore) -> None:
    projector.run("rdf")
    report = parity.check(store, "rdf")
    assert not report.differences, report.differences


def is_plain(store: SparqlStore) -> bool:
    return store.ask(f"{PREFIXES}ASK {{ ?a kg:acquired ?b }}")


@pytest.mark.integration
def test_only_what_is_stated_has_a_triple_of_its_own(store: SparqlStore) -> None:
    post = dealt()
    even(store)
    assert not is_plain(store) and not store.ask(f"{PREFIXES}ASK {{ GRAPH ?g {{ ?a rdf:predicate kg:sued }} }}")
    [row] = store.select(
        f"""{PREFIXES}SELECT * {{ GRAPH ?g {{ ?a rdf:predicate kg:acquired ; kg:factuality ?factuality ;
          kg:claimedBy ?by ; kg:whenText ?text ; kg:whenEarliest ?from ; kg:whenLatest ?to ; kg:amountText ?sum ;
          kg:amountValue ?number ; kg:amountUnit ?unit }} ?by rdfs:label ?who }}"""
    )
    assert row["factuality"]["value"] == vocabulary.NAMESPACE + "Alleged"
    assert [row[name]["value"] for name in ("who", "text", "from", "to")] == [
        "Zoe",
        "March",
        "2014-03-01",
        "2014-03-31",
    ]
    assert [row[name]["value"] for name in ("sum", "number", "unit")] == ["$19 billion", "19000000000", "USD"]
    dealt("stated", again=post)
    even(store)
    assert is_plain(store)
    dealt("planned", again=post)
    even(store)
    assert not is_plain(store)


@pytest.mark.integration
def test_a_value_is_a_literal_and_goes_with_its_last_post(store: SparqlStore) -> None:
    posts = [born(), born("Ada was born in 1815.")]
    even(store)
    rows = store.select(f"{PREFIXES}SELECT ?d {{ ?a kg:date_of_birth ?d }}")
    assert [row["d"] for row in rows] == [{"type": "literal", "value": "1815", "datatype": vocabulary.XSD + "gYear"}]
    assert not store.ask(f"{PREFIXES}ASK {{ ?t a kg:Time }}")
    for post, left in zip(posts, (True, False), strict=True):
        records.edit(post, "Ada met Bob.")
        records.read(post, NAMES[:2], [])
        even(store)
        assert store.ask(f"{PREFIXES}ASK {{ ?a kg:date_of_birth ?d }}") == left


@pytest.mark.integration
def test_a_lost_value_is_found_and_repaired(store: SparqlStore) -> None:
    born()
    even(store)
    for update in (
        "DELETE WHERE { ?a kg:date_of_birth ?d }",
        'INSERT { ?a kg:date_of_birth "1999"^^xsd:gYear } WHERE { ?a kg:date_of_birth ?d }',
    ):
        store.update(PREFIXES + update)
        report = parity.check(store, "rdf")
        assert [one.kind for one in report.wrong] == ["entity"]
        parity.repair(store, report)
        even(store)


@pytest.mark.integration
def test_a_store_of_before_is_brought_up_to_date(store: SparqlStore) -> None:
    """Times were nodes there: with a type, a name, and a triple from what they date."""
    born()
    even(store)
    ada, year = (vocabulary.entity_iri(records.entity(name).public_id) for name in ("Ada", "1815"))
    store.update(
        f"{PREFIXES}DELETE WHERE {{ ?a kg:date_of_birth ?d }};\n"
        f'INSERT DATA {{ <{ada}> kg:date_of_birth <{year}> . <{year}> a kg:Time ; rdfs:label "1815"@en }}'
    )
    import_module("knowledge.migrations.0013_values_leave_the_graphs").write_again(apps, None)
    assert ProjectorLock.objects.get(store="rdf").identity == ""
    even(store)
    assert store.ask(f'{PREFIXES}ASK {{ <{ada}> kg:date_of_birth "1815"^^xsd:gYear }}')
    assert not store.ask(f"ASK {{ {{ <{year}> ?p ?o }} UNION {{ ?s ?p <{year}> }} }}")


@pytest.mark.integration
def test_examples_show_claims_and_values(store: SparqlStore) -> None:
    dealt()
    born()
    even(store)
    texts = {one.key: one.text for one in sparql_examples.EXAMPLES}

    def lines(text: str) -> list[str]:
        return sparql_store.query(text, 10, 100, "text/csv").body.decode().splitlines()[1:]

    assert lines(texts["alleged"]) == [
        "Facebook,acquired,WhatsApp,Alleged,Zoe,2014-03-01,2014-03-31,Facebook plans deal"
    ]
    assert {tuple(line.split(",")[:4]) for line in lines(texts["sources"])} == {
        ("Facebook", "acquired", "WhatsApp", "Alleged"),
        ("Ada", "date_of_birth", "1815", "Stated"),
    }
    assert lines(sparql_examples.about_entity(records.entity("Ada").public_id)) == ["Ada,date_of_birth,1815"]
