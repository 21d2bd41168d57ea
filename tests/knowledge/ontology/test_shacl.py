"""The SHACL shapes hold for all that is written in RDF, and notice what is not as it should be."""

from __future__ import annotations

import io

import pytest
import rdflib
from pyshacl import validate

from extraction.models import Post
from knowledge.entities import merges
from knowledge.graphs import export
from knowledge.management.commands.ontology import SHAPES
from knowledge.models import Statement
from knowledge.ontology import shacl, vocabulary
from knowledge.recording import claims, reviews
from tests import records
from tests.knowledge.graphs.test_rdf_projection import recorded_post

pytestmark = pytest.mark.django_db


@pytest.fixture
def written() -> rdflib.Graph:
    """Posts, a merge, a verdict with a reading and one without, an awkward name: as Turtle, where graphs are one."""
    records.checkpoint()
    recorded_post()
    other = records.post("Anna “the \\\\ Great” was born in Rome; Bob met Lee.", link="https://news.example/a b")
    named = [("Anna “the \\\\ Great”", "person"), ("Rome", "location"), ("Bob", "person"), ("Lee", "person")]
    records.read(other, named, [("Anna “the \\\\ Great”", "place_of_birth", "Rome"), ("Bob", "sibling", "Lee")])
    merges.merge(records.entity("Ann"), [records.entity("Anna “the \\\\ Great”")], None)
    for statement in Statement.objects.all():
        for post in Post.objects.all():
            try:
                reviews.review(post, statement, "accept", None)
            except claims.NothingToReview:
                continue
    out = io.BytesIO()
    export.write(out, "turtle")
    return rdflib.Graph().parse(data=out.getvalue(), format="turtle")


def conforms(graph: rdflib.Graph) -> tuple[bool, str]:
    made = rdflib.Graph().parse(SHAPES, format="turtle")
    good, _, report = validate(graph, shacl_graph=made, advanced=False)
    return good, report


def test_the_file_is_made_from_the_shapes() -> None:
    assert SHAPES.read_text(encoding="utf-8") == shacl.turtle(), "run `manage.py ontology`"


def test_all_that_is_written_has_its_shape(written: rdflib.Graph) -> None:
    good, report = conforms(written)
    assert good, report
    assert len(list(written.subjects(rdflib.RDF.type, rdflib.RDF.Statement))) >= 4


KG = rdflib.Namespace(vocabulary.NAMESPACE)
SCHEMA = rdflib.Namespace(vocabulary.SCHEMA)
PROV = rdflib.Namespace(vocabulary.PROV)


@pytest.mark.parametrize(
    ("kind", "predicate", "value"),
    [
        (KG.Person, rdflib.RDFS.label, None),
        (KG.Person, rdflib.RDFS.label, rdflib.Literal("another")),
        (KG.Person, rdflib.RDF.type, KG.Location),
        (KG.Person, rdflib.OWL.sameAs, rdflib.URIRef("javascript:alert")),
        (SCHEMA.NewsArticle, SCHEMA.datePublished, None),
        (SCHEMA.NewsArticle, SCHEMA.url, rdflib.Literal("no address")),
        (rdflib.RDF.Statement, rdflib.RDF.subject, None),
        (rdflib.RDF.Statement, rdflib.RDF.predicate, KG.hates),
        (rdflib.RDF.Statement, KG.score, rdflib.Literal("1.5", datatype=rdflib.XSD.decimal)),
        (rdflib.RDF.Statement, KG.headEnd, rdflib.Literal(0)),
        (rdflib.RDF.Statement, PROV.wasDerivedFrom, None),
        (PROV.Activity, PROV.used, None),
    ],
)
def test_what_is_out_of_shape_is_noticed(
    written: rdflib.Graph, kind: rdflib.URIRef, predicate: rdflib.URIRef, value: rdflib.term.Node | None
) -> None:
    subject = min(written.subjects(rdflib.RDF.type, kind), key=str)
    if value is None or predicate == rdflib.RDF.predicate:
        written.remove((subject, predicate, None))
    if value is not None:
        written.add((subject, predicate, value))
    assert not conforms(written)[0]
