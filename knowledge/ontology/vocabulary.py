"""The RDF terms of the record: IRIs, the vocabularies used, and our own ontology, generated from `extraction.labels`.

Only here do head and tail become subject and object. IRIs of posts, entities and assertions begin with
BASE_IRI; the ontology's namespace is the same in every installation.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from extraction.labels import ENTITY_TYPES, RELATIONS, RelationType, news
from extraction.schema import Factuality
from knowledge.ontology import review_states
from knowledge.ontology.values import DATATYPES, VALUED

NAMESPACE = "https://w3id.org/kgbuilder/ontology#"
VERSION = "1.3"

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
PROV = "http://www.w3.org/ns/prov#"
SCHEMA = "https://schema.org/"
DCTERMS = "http://purl.org/dc/terms/"
WIKIDATA = "http://www.wikidata.org/entity/"
DIRECT = "http://www.wikidata.org/prop/direct/"  # Wikidata's own properties, for its facts alone

PREFIXES = {
    "kg": NAMESPACE,
    "rdf": RDF,
    "rdfs": RDFS,
    "owl": OWL,
    "xsd": XSD,
    "skos": SKOS,
    "prov": PROV,
    "schema": SCHEMA,
    "dcterms": DCTERMS,
    "wd": WIKIDATA,
    "wdt": DIRECT,
}

# Our own properties of an assertion: label, comment, datatype; the rest is RDF, PROV-O and schema.org.
ASSERTION_TERMS: dict[str, tuple[str, str, str]] = {
    "score": ("score", "The confidence of the reader, from 0 to 1, calibrated.", "decimal"),
    "scoreWithoutImage": ("score without image", "The score of the same pair with the picture masked.", "decimal"),
    "headStart": ("head start", "Where the subject's words begin in the post's text, in code points.", "integer"),
    "headEnd": ("head end", "Where the subject's words end, exclusive.", "integer"),
    "tailStart": ("tail start", "Where the object's words begin in the post's text, in code points.", "integer"),
    "tailEnd": ("tail end", "Where the object's words end, exclusive.", "integer"),
    "accepted": ("accepted", "True where an editor has confirmed the assertion.", "boolean"),
    "reviewedBy": ("reviewed by", "The name of the editor whose verdict decides on the assertion.", "string"),
    "reviewedAt": ("reviewed at", "When that verdict was given.", "dateTime"),
    "echo": ("echo", "True where the reader was shown this very fact: no independent evidence.", "boolean"),
    "whenText": ("when, in words", "The words of the post that date the assertion.", "string"),
    "whenEarliest": ("when, earliest", "The first day that these words may mean.", "date"),
    "whenLatest": ("when, latest", "The last day that these words may mean.", "date"),
    "amountText": ("amount, in words", "The words of the post that give the sum.", "string"),
    "amountValue": ("amount", "The sum as a number.", "decimal"),
    "amountUnit": ("amount, unit", "The currency as its ISO 4217 code, or another unit.", "string"),
    "textVersion": ("text version", "Which version of the post's text the offsets count in, from 1.", "integer"),
}
# Our own properties of a depiction, besides some of the above.
DEPICTION_TERMS: dict[str, tuple[str, str, str]] = {
    "nameStart": ("name start", "Where the words that name the depicted entity begin, in code points.", "integer"),
    "nameEnd": ("name end", "Where the words that name the depicted entity end, exclusive.", "integer"),
    "grounded": ("grounded", "True where type and class were matched without a network's answer.", "boolean"),
}
OF_BOTH = ("score", "accepted")
_DEPICTION = """kg:Depiction a owl:Class ;
    rdfs:label "depiction"@en ;
    rdfs:comment "The claim of a reading or an editor that a region of a post's picture shows an entity."@en .

kg:region a owl:ObjectProperty ;
    rdfs:label "region"@en ;
    rdfs:comment "The region of a picture, as a media fragment, that a depiction is about."@en ;
    rdfs:domain kg:Depiction ;
    rdfs:range schema:ImageObject .

kg:depicts a owl:ObjectProperty ;
    rdfs:label "depicts"@en ;
    rdfs:comment "The entity that a region of a picture shows."@en ;
    skos:closeMatch wd:P180 ;
    rdfs:domain schema:ImageObject .
"""
# What the text makes of an assertion: the individual, its label and comment.
FACTUALITIES: dict[Factuality, tuple[str, str, str]] = {
    "stated": ("Stated", "stated", "The text says it as a fact, or reports an act as done."),
    "planned": ("Planned", "planned", "The text says that it will or may be."),
    "alleged": ("Alleged", "alleged", "The text says that somebody claims it."),
}
_FACTUALITY = """kg:Factuality a owl:Class ;
    rdfs:label "factuality"@en ;
    rdfs:comment "Whether a text states an assertion as a fact, as a plan or as somebody's claim."@en .

kg:factuality a owl:ObjectProperty ;
    rdfs:label "factuality"@en ;
    rdfs:comment "What the text makes of the assertion. Only what is stated has a triple of its own."@en ;
    rdfs:domain rdf:Statement ;
    rdfs:range kg:Factuality .

kg:claimedBy a owl:ObjectProperty ;
    rdfs:label "claimed by"@en ;
    rdfs:comment "The entity that claims what is alleged."@en ;
    rdfs:subPropertyOf prov:wasAttributedTo ;
    rdfs:domain rdf:Statement .
"""
_REVIEW_STATE = """kg:ReviewState a owl:Class ;
    rdfs:label "review state"@en ;
    rdfs:comment "What editors have made of an assertion. Rejected and disputed ones are not in the graph."@en .

kg:reviewState a owl:ObjectProperty ;
    rdfs:label "review state"@en ;
    rdfs:comment "Whether an editor has accepted or corrected the assertion."@en ;
    rdfs:domain rdf:Statement ;
    rdfs:range kg:ReviewState .
"""
TYPE_TERMS: dict[str, tuple[str, str]] = {
    "headType": ("head type", "The entity type that was read for the subject at this place."),
    "tailType": ("tail type", "The entity type that was read for the object at this place."),
}
# Properties of the comparison of a statement with a source: label, comment, datatype.
COMPARISON_TERMS: dict[str, tuple[str, str, str]] = {
    "comparedSubject": ("compared subject", "The subject of the statement that is compared.", ""),
    "comparedRelation": ("compared relation", "Its relation.", ""),
    "comparedObject": ("compared object", "Its object.", ""),
    "standing": ("standing", "Whether the source has the same (kg:AlreadyKnown) or another value (kg:InConflict).", ""),
    "knownValue": ("known value", "The source's value: one of its entities, or words.", ""),
    "knownName": ("known name", "The name of that value, or the value itself.", "string"),
}
OUTSIDE_CLASSES: dict[str, tuple[str, str]] = {
    "Comparison": ("Comparison", "The comparison of a statement with a knowledge source's fact on one of its ends."),
    "KnownFacts": (
        "Known facts",
        "A graph of a knowledge source's facts on one entity, not extracted from posts.",
    ),
}
STANDINGS: dict[str, tuple[str, str]] = {
    "known": ("AlreadyKnown", "already known"),
    "conflict": ("InConflict", "in conflict with what is known"),
}
# Relations that are the same as one of Wikidata's properties: only their statements can be compared with it.
COMPARABLE = frozenset(key for key, kind in RELATIONS.items() if kind.property and kind.match == "exact")
_MATCHES = {"exact": "exactMatch", "close": "closeMatch", "broad": "broadMatch"}


def entity_iri(public_id: UUID) -> str:
    return f"{settings.BASE_IRI}id/entity/{public_id}"


def post_iri(public_id: UUID) -> str:
    """The post, and the named graph of its assertions."""
    return f"{settings.BASE_IRI}id/post/{public_id}"


def assertion_iri(public_id: UUID) -> str:
    return f"{settings.BASE_IRI}id/assertion/{public_id}"


def checkpoint_iri(digest: str) -> str:
    return f"{settings.BASE_IRI}id/checkpoint/{digest[:16]}"


def known_iri(public_id: UUID) -> str:
    """The named graph of the sources' facts on an entity."""
    return f"{entity_iri(public_id)}#known"


def comparison_iri(head: UUID, relation: str, tail: UUID) -> str:
    """A triple's comparison with a source's fact, and the named graph that holds it."""
    return f"{entity_iri(head)}#{relation}-{tail}"


def type_iri(key: str) -> str:
    """An entity type's class: `person` is kg:Person."""
    return f"{NAMESPACE}{key[:1].upper()}{key[1:]}"


def factuality_iri(key: Factuality) -> str:
    """What a text makes of an assertion: kg:Stated, kg:Planned or kg:Alleged."""
    return NAMESPACE + FACTUALITIES[key][0]


def review_state_iri(state: str) -> str:
    """What editors have made of an assertion: kg:Unreviewed, kg:Accepted or kg:Corrected."""
    return NAMESPACE + review_states.IN_GRAPH[state][0]


def relation_iri(key: str) -> str:
    """A relation's property: `member_of` is kg:member_of."""
    return NAMESPACE + key


def turtle() -> str:
    """`ontology.ttl`: the classes, properties and terms, with their counterparts in Wikidata."""
    blocks = [_heading(), *map(_class, sorted(ENTITY_TYPES))]
    blocks += [_property(key, RELATIONS[key]) for key in sorted(RELATIONS)]
    blocks += [_term(name, *about) for name, about in sorted(ASSERTION_TERMS.items())]
    blocks += [_term(name, *about, "") for name, about in sorted(TYPE_TERMS.items())]
    blocks += [_FACTUALITY, *(_individual("Factuality", *about) for about in FACTUALITIES.values())]
    blocks += [_REVIEW_STATE, *(_individual("ReviewState", *about) for about in review_states.IN_GRAPH.values())]
    blocks += [_DEPICTION, *(_term(name, *about) for name, about in sorted(DEPICTION_TERMS.items()))]
    blocks += [_outside_class(name, *about) for name, about in sorted(OUTSIDE_CLASSES.items())]
    blocks += [_comparison_term(name, *about) for name, about in sorted(COMPARISON_TERMS.items())]
    blocks += [_block(f"kg:{name}", [_label("rdfs:label", label)]) for name, label in sorted(STANDINGS.values())]
    prefixes = "".join(f"@prefix {name}: <{iri}> .\n" for name, iri in PREFIXES.items())
    return "# Made by `manage.py ontology` from extraction/labels; a test keeps the two in step.\n" + "\n".join(
        [prefixes, *blocks]
    )


def _heading() -> str:
    lines = ["a owl:Ontology", _label("rdfs:label", "kgbuilder: entity types and relations of news")]
    lines += [f'owl:versionInfo "{VERSION}"', "dcterms:license <https://www.apache.org/licenses/LICENSE-2.0>"]
    return _block(f"<{NAMESPACE.rstrip('#')}>", lines)


def _class(key: str) -> str:
    return _block(_short(type_iri(key)), ["a owl:Class", _label("rdfs:label", ENTITY_TYPES[key].label)])


def _property(key: str, relation: RelationType) -> str:
    kinds = "a owl:ObjectProperty, owl:SymmetricProperty" if relation.symmetric else "a owl:ObjectProperty"
    kinds = "a owl:DatatypeProperty" if key in VALUED else kinds
    lines = [kinds, _label("rdfs:label", relation.label)]
    # schema.org's, not RDFS's: permitted ends limit the reader, and no type may be inferred from them
    lines += [f"schema:domainIncludes {_classes(relation.heads)}", f"schema:rangeIncludes {_range(relation)}"]
    if relation.inverse:
        lines.append(f"owl:inverseOf {_short(relation_iri(relation.inverse))}")
    if relation.property and relation.match:
        matched = [relation.property, *news.ALSO_PROPERTIES.get(key, ())]
        lines.append(f"skos:{_MATCHES[relation.match]} " + ", ".join(f"wd:{one}" for one in matched))
    if key in news.INVERSE_PROPERTIES:  # Wikidata has it from the tail to the head alone
        lines.append(f"owl:inverseOf wd:{news.INVERSE_PROPERTIES[key]}")
    return _block(_short(relation_iri(key)), lines)


def _range(relation: RelationType) -> str:
    if relation.key not in VALUED:
        return _classes(relation.tails)
    dates = [f"xsd:{datatype}" for datatype in DATATYPES] if "time" in relation.tails else []
    return ", ".join([*dates, "xsd:string"])


def _individual(kind: str, name: str, label: str, comment: str) -> str:
    lines = [f"a kg:{kind}", _label("rdfs:label", label), _label("rdfs:comment", comment)]
    return _block(f"kg:{name}", lines)


def _term(name: str, label: str, comment: str, datatype: str) -> str:
    kind = "a owl:DatatypeProperty" if datatype else "a owl:ObjectProperty"
    values = f"xsd:{datatype}" if datatype else "owl:Class"
    lines = [kind, _label("rdfs:label", label), _label("rdfs:comment", comment)]
    domain = "rdfs:domain kg:Depiction" if name in DEPICTION_TERMS else "rdfs:domain rdf:Statement"
    domain = "schema:domainIncludes rdf:Statement, kg:Depiction" if name in OF_BOTH else domain
    return _block(f"kg:{name}", [*lines, domain, f"rdfs:range {values}"])


def _outside_class(name: str, label: str, comment: str) -> str:
    return _block(f"kg:{name}", ["a owl:Class", _label("rdfs:label", label), _label("rdfs:comment", comment)])


def _comparison_term(name: str, label: str, comment: str, datatype: str) -> str:
    # rdf:Property: a known value may be a thing or words
    kind = "a owl:DatatypeProperty" if datatype else "a rdf:Property"
    lines = [kind, _label("rdfs:label", label), _label("rdfs:comment", comment), "rdfs:domain kg:Comparison"]
    return _block(f"kg:{name}", [*lines, *([f"rdfs:range xsd:{datatype}"] if datatype else [])])


def _block(subject: str, lines: list[str]) -> str:
    return f"{subject} " + " ;\n    ".join(lines) + " .\n"


def _classes(keys: frozenset[str]) -> str:
    return ", ".join(_short(type_iri(key)) for key in sorted(keys))


def _label(prop: str, words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'{prop} "{escaped}"@en'


def _short(iri: str) -> str:
    return "kg:" + iri.removeprefix(NAMESPACE)
