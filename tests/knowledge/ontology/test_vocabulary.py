"""The ontology: the file matches the labels, it is sound, and names do not collide."""

from __future__ import annotations

import uuid
from pathlib import Path

import pyoxigraph
from pytest_django import Settings

from extraction.labels import ENTITY_TYPES, RELATIONS
from knowledge.graphs.rdf import quads
from knowledge.ontology import vocabulary

FILE = Path(vocabulary.__file__).with_name("ontology.ttl")


def graph() -> pyoxigraph.Store:
    store = pyoxigraph.Store()
    store.load(FILE.read_bytes(), format=pyoxigraph.RdfFormat.TURTLE)
    return store


def objects(store: pyoxigraph.Store, subject: str, predicate: str) -> set[str]:
    found = store.quads_for_pattern(pyoxigraph.NamedNode(subject), pyoxigraph.NamedNode(predicate), None)
    return {str(quad.object) for quad in found}


def test_the_file_matches_the_labels() -> None:
    assert FILE.read_text(encoding="utf-8") == vocabulary.turtle(), "run `manage.py ontology`"


def test_every_type_and_relation_is_declared_once_with_its_label() -> None:
    store = graph()
    for key, entity_type in ENTITY_TYPES.items():
        assert objects(store, vocabulary.type_iri(key), vocabulary.RDFS + "label") == {f'"{entity_type.label}"@en'}
    for key, relation in RELATIONS.items():
        assert objects(store, vocabulary.relation_iri(key), vocabulary.RDFS + "label") == {f'"{relation.label}"@en'}


def test_a_symmetric_relation_is_declared_so_and_a_match_leads_to_wikidata() -> None:
    store = graph()
    kinds = objects(store, vocabulary.relation_iri("spouse"), vocabulary.RDF + "type")
    assert f"<{vocabulary.OWL}SymmetricProperty>" in kinds
    assert objects(store, vocabulary.relation_iri("spouse"), vocabulary.SKOS + "exactMatch") == {
        "<http://www.wikidata.org/entity/P26>"
    }
    assert f"<{vocabulary.OWL}SymmetricProperty>" not in objects(
        store, vocabulary.relation_iri("child"), vocabulary.RDF + "type"
    )


def test_a_relation_that_wikidata_has_from_the_tail_is_declared_its_inverse() -> None:
    store = graph()
    inverses = objects(store, vocabulary.relation_iri("organizes"), vocabulary.OWL + "inverseOf")
    assert inverses == {"<http://www.wikidata.org/entity/P664>"}
    assert objects(store, vocabulary.relation_iri("organizes"), vocabulary.SKOS + "exactMatch") == set()


def test_types_relations_and_terms_do_not_share_names() -> None:
    names = [vocabulary.type_iri(key) for key in ENTITY_TYPES] + [vocabulary.relation_iri(key) for key in RELATIONS]
    names += [vocabulary.NAMESPACE + name for name in (*vocabulary.ASSERTION_TERMS, *vocabulary.TYPE_TERMS)]
    assert len(names) == len(set(names))


def test_iris_begin_with_the_base_and_lead_back(settings: Settings) -> None:
    settings.BASE_IRI = "https://news.example/"
    key = uuid.uuid4()
    assert vocabulary.entity_iri(key) == f"https://news.example/id/entity/{key}"
    assert quads.entity_key(vocabulary.entity_iri(key)) == key
    assert quads.post_key(vocabulary.post_iri(key)) == key
    assert quads.post_key(vocabulary.entity_iri(key)) is None
    assert quads.entity_key("https://news.example/id/entity/none") is None


def test_every_term_that_the_graph_uses_is_declared() -> None:
    store = graph()
    for name in (*vocabulary.ASSERTION_TERMS, *vocabulary.TYPE_TERMS):
        assert objects(store, vocabulary.NAMESPACE + name, vocabulary.RDF + "type"), name
