"""A real Neo4j: what is planned or alleged, and values, in it; and a store of an earlier version."""

from __future__ import annotations

from datetime import date
from importlib import import_module

import pytest
from django.apps import apps

from knowledge.entities import merges
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.views.queries import cypher_examples
from tests import records
from tests.knowledge.graphs.neo4j.test_store import even, store, write
from tests.knowledge.graphs.test_factuality import born, dealt

pytestmark = [pytest.mark.integration, pytest.mark.neo4j, pytest.mark.django_db]
__all__ = ["store"]  # the fixture


@pytest.fixture(autouse=True)
def deployed() -> None:
    records.checkpoint()


def test_a_relationship_has_the_qualifiers_of_its_statement(store: Neo4jStore) -> None:
    post = dealt()
    even(store)
    ask = "MATCH ()-[r:ACQUIRED]->() RETURN properties(r) AS found"
    [row] = store.rows(ask)
    assert (row["found"]["factuality"], row["found"]["amount"], row["found"]["amount_unit"]) == ("alleged", 19e9, "USD")
    assert row["found"]["claimed_by"] == [str(records.entity("Zoe").public_id)]
    assert row["found"]["when_latest"].to_native() == date(2014, 3, 31)
    assert store.rows("MATCH ()-[r:SUED]->() RETURN r") == []
    [text] = [one.text for one in cypher_examples.EXAMPLES if one.key == "alleged"]
    [found] = store.rows(text)
    assert (found["head"], found["factuality"], found["claimants"]) == ("Facebook", "alleged", ["Zoe"])
    dealt("stated", again=post)
    even(store)
    [row] = store.rows(ask)
    assert row["found"]["factuality"] == "stated"


def test_a_claimant_that_is_merged_is_followed(store: Neo4jStore) -> None:
    dealt()
    even(store)
    merges.merge(records.entity("Ann"), [records.entity("Zoe")], None)
    even(store)
    [row] = store.rows("MATCH ()-[r:ACQUIRED]->() RETURN r.claimed_by AS by")
    assert row["by"] == [str(records.entity("Ann").public_id)]


def test_a_value_is_a_property_and_no_node(store: Neo4jStore) -> None:
    born()
    even(store)
    assert store.rows("MATCH (a:Entity) WHERE a.date_of_birth = ['1815'] RETURN a.name AS name") == [{"name": "Ada"}]
    assert store.rows("MATCH (n:Time) RETURN n") == []


def test_a_store_of_before_is_brought_up_to_date(store: Neo4jStore) -> None:
    """Times were nodes there, with a relationship from what they date."""
    born()
    even(store)
    year = str(records.entity("1815").public_id)
    write(
        store,
        "MATCH (a:Entity {name: 'Ada'}) REMOVE a.date_of_birth "
        "CREATE (a)-[:DATE_OF_BIRTH {id: '1', score: 0.9}]->(:Entity:Time {id: $year, name: '1815'})",
        year=year,
    )
    import_module("knowledge.migrations.0013_values_leave_the_graphs").write_again(apps, None)
    even(store)
    assert store.rows("MATCH (n:Time) RETURN n") == []
