"""The ontology: the file is what the labels say, it is sound, and names do not collide."""

from __future__ import annotations

import uuid
from pathlib import Path

import pyoxigraph
from pytest_django import Settings

from extraction.labels import ENTITY_TYPES, RELATIONS
from knowledge import ontology
from knowledge.graphs import rdf

FILE = Path(ontology.__file__).with_name("ontology.ttl")


def graph() -> pyoxigraph.Store:
    store = pyoxigraph.Store()
    store.load(FILE.read_bytes(), format=pyoxigraph.RdfFormat.TURTLE)
    return store


def objects(store: pyoxigraph.Store, subject: str, predicate: str) -> set[str]:
    found = store.quads_for_pattern(pyoxigraph.NamedNode(subject), pyoxigraph.NamedNode(predicate), None)
    return {str(quad.object) for quad in found}


def test_the_file_is_what_the_labels_say() -> None:
    assert FILE.read_text(encoding="utf-8") == ontology.turtle(), "run `manage.py ontology`"


def test_every_type_and_relation_is_declared_once_with_its_label() -> None:
    store = graph()
    for key, entity_type in ENTITY_TYPES.items():
        assert objects(store, ontology.type_iri(key), ontology.RDFS + "label") == {f'"{entity_type.label}"@en'}
    for key, relation in RELATIONS.items():
        assert objects(store, ontology.relation_iri(key), ontology.RDFS + "label") == {f'"{relation.label}"@en'}


def test_a_symmetric_relation_is_declared_so_and_a_match_leads_to_wikidata() -> None:
    store = graph()
    kinds = objects(store, ontology.relation_iri("spouse"), ontology.RDF + "type")
    assert f"<{ontology.OWL}SymmetricProperty>" in kinds
    assert objects(store, ontology.relation_iri("spouse"), ontology.SKOS + "exactMatch") == {
        "<http://www.wikidata.org/entity/P26>"
    }
    assert f"<{ontology.OWL}SymmetricProperty>" not in objects(
        store, ontology.relation_iri("child"), ontology.RDF + "type"
    )


def test_types_relations_and_terms_do_not_share_names() -> None:
    names = [ontology.type_iri(key) for key in ENTITY_TYPES] + [ontology.relation_iri(key) for key in RELATIONS]
    names += [ontology.NAMESPACE + name for name in (*ontology.ASSERTION_TERMS, *ontology.TYPE_TERMS)]
    assert len(names) == len(set(names))


def test_iris_begin_with_the_base_and_lead_back(settings: Settings) -> None:
    settings.BASE_IRI = "https://news.example/"
    key = uuid.uuid4()
    assert ontology.entity_iri(key) == f"https://news.example/id/entity/{key}"
    assert rdf.entity_key(ontology.entity_iri(key)) == key
    assert rdf.post_key(ontology.post_iri(key)) == key
    assert rdf.post_key(ontology.entity_iri(key)) is None
    assert rdf.entity_key("https://news.example/id/entity/none") is None


def test_every_term_that_a_unit_uses_is_declared() -> None:
    store = graph()
    for name in (*ontology.ASSERTION_TERMS, *ontology.TYPE_TERMS):
        assert objects(store, ontology.NAMESPACE + name, ontology.RDF + "type"), name
