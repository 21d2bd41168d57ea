"""SHACL shapes of the graph of every post and of every entity. `shapes.ttl` is generated from these."""

from __future__ import annotations

from knowledge.ontology import vocabulary
from knowledge.ontology.values import VALUE_TYPES, VALUED
from knowledge.ontology.vocabulary import NAMESPACE, PREFIXES

SHACL = "http://www.w3.org/ns/shacl#"

_SHAPES = """
kg:EntityShape a sh:NodeShape ;
    rdfs:comment "An entity that stands for itself: one type, one label, its other names and addresses." ;
    sh:targetClass {classes} ;
    sh:property [ sh:path rdf:type ; sh:minCount 1 ; sh:maxCount 1 ] ;
    sh:property [ sh:path rdfs:label ; sh:minCount 1 ; sh:maxCount 1 ; sh:or ({strings}) ; sh:minLength 1 ] ;
    sh:property [ sh:path skos:altLabel ; sh:or ({strings}) ; sh:minLength 1 ] ;
{values}    sh:property [ sh:path owl:sameAs ; sh:nodeKind sh:IRI ; sh:pattern "^https?://" ] ;
    sh:property [ sh:path dcterms:isReplacedBy ; sh:maxCount 0 ] .

kg:MergedShape a sh:NodeShape ;
    rdfs:comment "An entity that was merged into another only leads there." ;
    sh:targetSubjectsOf dcterms:isReplacedBy ;
    sh:property [ sh:path dcterms:isReplacedBy ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [ sh:path rdf:type ; sh:maxCount 0 ] .

kg:PostShape a sh:NodeShape ;
    rdfs:comment "A post, in the graph that has its IRI." ;
    sh:targetClass schema:NewsArticle ;
    sh:property [ sh:path schema:headline ; sh:minCount 1 ; sh:maxCount 1 ; sh:or ({strings}) ] ;
    sh:property [ sh:path schema:datePublished ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:dateTime ] ;
    sh:property [ sh:path schema:url ; sh:maxCount 1 ; sh:datatype xsd:anyURI ] ;
    sh:property [ sh:path schema:publisher ; sh:maxCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path schema:inLanguage ; sh:maxCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path schema:mentions ; sh:nodeKind sh:IRI ] ;
    sh:property [
        sh:path kg:textVersion ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:integer ; sh:minInclusive 1
    ] .

kg:ReadingShape a sh:NodeShape ;
    rdfs:comment "The reading that a post's assertions come from: of which post, by which checkpoint." ;
    sh:targetClass prov:Activity ;
    sh:property [ sh:path prov:used ; sh:minCount 1 ; sh:maxCount 1 ; sh:class schema:NewsArticle ] ;
    sh:property [ sh:path prov:wasAssociatedWith ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [ sh:path prov:endedAtTime ; sh:maxCount 1 ; sh:datatype xsd:dateTime ] .

kg:AssertionShape a sh:NodeShape ;
    rdfs:comment "The claim of a statement at one place of a post; without a score it is an editor's alone." ;
    sh:targetClass rdf:Statement ;
    sh:property [ sh:path rdf:subject ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [ sh:path rdf:predicate ; sh:minCount 1 ; sh:maxCount 1 ; sh:in ({relations}) ] ;
    sh:property [ sh:path rdf:object ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRIOrLiteral ] ;
    sh:property [ sh:path kg:factuality ; sh:minCount 1 ; sh:maxCount 1 ; sh:in ({factualities}) ] ;
    sh:property [
        sh:path kg:reviewState ; sh:minCount 1 ; sh:maxCount 1 ; sh:in (kg:Unreviewed kg:Accepted kg:Corrected)
    ] ;
    sh:property [ sh:path kg:reviewedBy ; sh:maxCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path kg:reviewedAt ; sh:maxCount 1 ; sh:datatype xsd:dateTime ] ;
    sh:property [ sh:path kg:claimedBy ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [ sh:path kg:whenText ; sh:maxCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path kg:whenEarliest ; sh:maxCount 1 ; sh:datatype xsd:date ; sh:lessThanOrEquals kg:whenLatest ] ;
    sh:property [ sh:path kg:whenLatest ; sh:maxCount 1 ; sh:datatype xsd:date ] ;
    sh:property [ sh:path kg:amountText ; sh:maxCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path kg:amountValue ; sh:maxCount 1 ; sh:datatype xsd:decimal ] ;
    sh:property [ sh:path kg:amountUnit ; sh:maxCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path prov:wasDerivedFrom ; sh:minCount 1 ; sh:maxCount 1 ; sh:class schema:NewsArticle ] ;
    sh:property [ sh:path kg:score ; sh:maxCount 1 ; sh:datatype xsd:decimal ; sh:minInclusive 0 ; sh:maxInclusive 1 ] ;
    sh:property [ sh:path kg:scoreWithoutImage ; sh:maxCount 1 ; sh:datatype xsd:decimal ] ;
    sh:property [ sh:path prov:wasInfluencedBy ; sh:class schema:ImageObject ] ;
    sh:property [ sh:path kg:accepted ; sh:maxCount 1 ; sh:datatype xsd:boolean ] ;
    sh:property [ sh:path kg:echo ; sh:maxCount 1 ; sh:datatype xsd:boolean ] ;
    sh:property [ sh:path kg:headType ; sh:maxCount 1 ; sh:in ({types}) ] ;
    sh:property [ sh:path kg:tailType ; sh:maxCount 1 ; sh:in ({types}) ] ;
    sh:property [ sh:path kg:headStart ; sh:maxCount 1 ; sh:datatype xsd:integer ; sh:lessThan kg:headEnd ] ;
    sh:property [ sh:path kg:tailStart ; sh:maxCount 1 ; sh:datatype xsd:integer ; sh:lessThan kg:tailEnd ] ;
    sh:or (
        [ sh:path prov:wasGeneratedBy ; sh:minCount 1 ; sh:maxCount 1 ; sh:class prov:Activity ]
        [ sh:path kg:accepted ; sh:minCount 1 ]
    ) .

kg:DepictionShape a sh:NodeShape ;
    rdfs:comment "The claim that a region of a post's picture shows an entity, with the words that name it." ;
    sh:targetClass kg:Depiction ;
    sh:property [ sh:path kg:region ; sh:minCount 1 ; sh:maxCount 1 ; sh:class schema:ImageObject ] ;
    sh:property [ sh:path schema:about ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [
        sh:path kg:score ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:decimal ;
        sh:minInclusive 0 ; sh:maxInclusive 1
    ] ;
    sh:property [ sh:path kg:nameStart ; sh:minCount 1 ; sh:maxCount 1 ; sh:lessThan kg:nameEnd ] ;
    sh:property [ sh:path kg:nameEnd ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:integer ] ;
    sh:property [ sh:path kg:grounded ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:boolean ] ;
    sh:property [ sh:path kg:accepted ; sh:maxCount 1 ; sh:datatype xsd:boolean ] ;
    sh:property [ sh:path prov:wasDerivedFrom ; sh:minCount 1 ; sh:maxCount 1 ; sh:class schema:NewsArticle ] ;
    sh:property [ sh:path prov:wasGeneratedBy ; sh:minCount 1 ; sh:maxCount 1 ; sh:class prov:Activity ] .

kg:PictureShape a sh:NodeShape ;
    rdfs:comment "A picture of a post, or a region of one: a media fragment in percent of the upright picture." ;
    sh:targetClass schema:ImageObject ;
    sh:nodeKind sh:IRI ;
    sh:pattern "/picture/[0-9]+(#xywh=percent:[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+)?$" ;
    sh:property [ sh:path schema:isPartOf ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [ sh:path schema:name ; sh:maxCount 1 ] ;
    sh:property [ sh:path kg:depicts ; sh:nodeKind sh:IRI ] .

kg:ComparisonShape a sh:NodeShape ;
    rdfs:comment "The comparison of a statement with a source's fact on one of its ends, with that fact." ;
    sh:targetClass kg:Comparison ;
    sh:property [ sh:path kg:comparedSubject ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [ sh:path kg:comparedRelation ; sh:minCount 1 ; sh:maxCount 1 ; sh:in ({relations}) ] ;
    sh:property [ sh:path kg:comparedObject ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRIOrLiteral ] ;
    sh:property [ sh:path kg:standing ; sh:minCount 1 ; sh:maxCount 1 ; sh:in (kg:AlreadyKnown kg:InConflict) ] ;
    sh:property [ sh:path kg:knownValue ; sh:minCount 1 ; sh:maxCount 1 ] ;
    sh:property [ sh:path kg:knownName ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path dcterms:source ; sh:minCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path prov:wasDerivedFrom ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] .

kg:KnownFactsShape a sh:NodeShape ;
    rdfs:comment "A graph of a source's facts on an entity, with the entity and the source." ;
    sh:targetClass kg:KnownFacts ;
    sh:property [ sh:path schema:about ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ;
    sh:property [ sh:path dcterms:source ; sh:minCount 1 ; sh:datatype xsd:string ] ;
    sh:property [ sh:path prov:wasDerivedFrom ; sh:minCount 1 ; sh:nodeKind sh:IRI ; sh:pattern "^https?://" ] .
"""


def turtle() -> str:
    """`shapes.ttl`, generated from the labels and the shapes above."""
    from extraction.labels import ENTITY_TYPES, RELATIONS

    types = {key: _short(vocabulary.type_iri(key)) for key in sorted(ENTITY_TYPES)}
    things = [name for key, name in types.items() if key not in VALUE_TYPES]
    body = (
        _SHAPES.replace("{classes}", ", ".join(things))
        .replace("{types}", " ".join(types.values()))
        .replace("{values}", "".join(_value(key) for key in sorted(VALUED)))
        .replace("{factualities}", " ".join(f"kg:{name}" for name, _, _ in vocabulary.FACTUALITIES.values()))
        .replace("{relations}", " ".join(_short(vocabulary.relation_iri(key)) for key in sorted(RELATIONS)))
        .replace("{strings}", "[ sh:datatype xsd:string ] [ sh:datatype rdf:langString ]")
    )
    prefixes = "".join(f"@prefix {name}: <{iri}> .\n" for name, iri in {**PREFIXES, "sh": SHACL}.items())
    return f"# Made by `manage.py ontology`; a test validates the graph against it.\n{prefixes}{body}"


def _value(relation: str) -> str:
    return f"    sh:property [ sh:path {_short(vocabulary.relation_iri(relation))} ; sh:nodeKind sh:Literal ] ;\n"


def _short(iri: str) -> str:
    return "kg:" + iri.removeprefix(NAMESPACE)
