"""The check of people's SPARQL by a parser and by an independent lexer; and keys of names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.entities import names
from knowledge.graphs.rdf import sparql_guard, sparql_messages
from knowledge.graphs.sparql_server import keyword_scan

GOOD = [
    ("SELECT * WHERE { ?s ?p ?o } LIMIT 5", "select"),
    ("PREFIX a: <urn:service#> SELECT ?service { ?service a:load 'SERVICE <x>' # SERVICE\n }", "select"),
    ("SELECT * { ?s <http://load.example/service> 'Secret Service' FILTER(?s < 3) }", "select"),
    ('ASK { ?s ?p """LOAD " <urn:x> SERVICE""" }', "ask"),
    ("CONSTRUCT { ?s <urn:SERVICE> ?o } WHERE { ?s <urn:LOAD> ?o }", "construct"),
    ("DESCRIBE <urn:x>", "describe"),
    ("SELECT ?x { GRAPH ?g { ?s ?p ?x } FILTER NOT EXISTS { ?x a ?y } } ORDER BY ?x", "select"),
]
BAD = [
    ("INSERT DATA { <urn:a> <urn:b> 1 }", "Updates"),
    ("DROP ALL", "Updates"),
    ("CLEAR GRAPH <urn:g>", "Updates"),
    ("DELETE WHERE { ?s ?p ?o }", "Updates"),
    ("SELECT * WHERE { ?s ?p ?o ", "line 1"),
    ("SELECT * { SERVICE <http://a> { ?s ?p ?o } }", "SERVICE"),
    ("SELECT * { sErViCe <http://a> { ?s ?p ?o } }", "SERVICE"),
    ("SELECT * { \\u0053ERVICE <http://a> { ?s ?p ?o } }", "SERVICE"),
    ("LOAD <http://a>", "LOAD"),
    ("", "line"),
    ("nonsense", "line"),
    ("SELECT * {" + "{" * 200 + "}" * 200 + "}", "deep"),
    ("SELECT * { ?s ?p '" + "x" * 30_000 + "' }", "characters"),
    ("ASK { ?s ?p '\0' }", "NUL"),
]


@pytest.mark.parametrize(("text", "kind"), GOOD)
def test_a_harmless_query_is_accepted(text: str, kind: str) -> None:
    assert sparql_guard.check(text) == kind


SENTENCES = [
    ("SELECT * { ?s foo:employer ?o }", "foo: is not declared. Begin the query with PREFIX foo: <http://…>"),
    ("ASK { ?s kg:employer 'x'^^xsd:int }", "kg: and xsd: are not declared"),
    ("ASK { ?s kg:employer ?o }", "PREFIX kg: <http"),
    ("ASK { ?s :employer ?o }", "^: is not declared"),
    ("PREFIX a: <urn:a> INSERT DATA { a:b a:c }", "Updates are not allowed"),
    ("# my own\nWITH <urn:g> DELETE { ?s", "Updates are not allowed"),
    ("SELCT * { ?s ?p ?o }", "begins with “SELCT”. It cannot be read at line 1"),
    ("{ ?s ?p ?o }", "this one does not"),
    ("SELECT * WHERE {\n ?s ?p }", "from line 2, column 2 on: “[?]s [?]p }”"),
    ("SELECT * WHERE { ?s ?p ?o ", "ends too early.* It has 1 “{” without its counterpart"),
    ("  ", "The query is empty"),
]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES)
def test_an_error_is_a_sentence_that_names_the_place_and_the_remedy(text: str, sentence: str) -> None:
    with pytest.raises(sparql_guard.QueryRefused, match=sentence) as refused:
        sparql_guard.check(text)
    assert len(str(refused.value)) < 200 and "'" not in str(refused.value).replace("'x'", "")


def test_declared_prefixes_are_accepted_wherever_they_are_used() -> None:
    sparql_guard.check("PREFIX : <urn:a#> PREFIX x: <urn:b#> SELECT * { ?s :p/x:q|^:r x:o FILTER(x:f(?s) = '1'^^x:t) }")


def test_the_grammar_in_a_stores_error_is_left_out() -> None:
    grammar = "expected one of Prefix not found, ['%'], ['-' | '0' ..= '9' | '\\u{00B7}' | '\\u{0300}']" * 9
    for message, sentence in (
        (f"error at 1:33: {grammar}", "A prefix is not declared at line 1, column 33."),
        ("error at 2:7: expected The SELECT contains a variable that is unbound, [_]", "GROUP BY leaves out"),
        ("error at 2:7: expected [_]", "The query cannot be read at line 2, column 7."),
        ("The query took longer than 5 seconds.", "The query took longer than 5 seconds."),
    ):
        assert sentence in sparql_messages.of_server(message)
    assert len(sparql_messages.of_server("Parse error: " + "x" * 9000)) <= sparql_messages.LONGEST_MESSAGE


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_the_rest_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(sparql_guard.QueryRefused, match=reason):
        sparql_guard.check(text)


def test_the_parser_alone_finds_a_service_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparql_guard, "forbidden", lambda text, words: "")
    with pytest.raises(sparql_guard.QueryRefused, match="SERVICE"):
        sparql_guard.check("SELECT * { OPTIONAL { { SELECT * { SERVICE <http://a> { ?s ?p ?o } } } } }")


@given(st.text(max_size=60), st.sampled_from(["'%s'", '"%s"', "'''%s'''", '"""%s"""', "<%s>", "?v #%s\n", "# %s\n"]))
def test_a_service_after_any_other_text_is_found(inner: str, around: str) -> None:
    """What stands in a string, an IRI or a comment must never hide what follows it."""
    escaped = "".join(sign for sign in inner if sign.isalnum() or sign in " .,:-/")
    text = f"SELECT * {{ {around % escaped} SERVICE <http://a> {{ }} }}"
    assert keyword_scan.forbidden(text, sparql_guard.OUTWARD) == "SERVICE"


# Each would hide the word from a lexer that knows one meaning of `<`, or only whole words.
ODD = [
    "SELECT * { FILTER(1<'x>') SERVICE <http://a> { ?s ?p ?o } FILTER('a'='a') }",
    "SELECT * { FILTER(?a<?b#c>'''\n) SERVICE <http://a> { ?s ?p ?o } #'''\n }",
    "SELECT * { <http://a/'> ?p ?o . SERVICE <http://a> { ?s ?p ?o } ?s ?p <http://a/'> }",
    "SELECT * { ?s ?p 1e5SERVICE<http://a> { ?s ?p ?o } }",
    "SELECT * { ?s ?p trueSERVICE<http://a> { ?s ?p ?o } }",
    "SELECT * { SERVICESILENT<http://a> { ?s ?p ?o } }",
    "PREFIX : <http://a> SELECT * { SERVICE:x { ?s ?p ?o } }",
    "PREFIX a: <http://a> SELECT * { SERVICEa:x { ?s ?p ?o } }",
    "SELECT * { ?s ?p a:b.SERVICE <http://a> { ?s ?p ?o } }",
    "SELECT * { {}SERVICE?x { ?s ?p ?o } }",
]


@pytest.mark.parametrize("text", ODD)
def test_a_service_in_odd_places_is_found(text: str) -> None:
    assert keyword_scan.forbidden(text, sparql_guard.OUTWARD) == "SERVICE"


@given(st.text(alphabet="SERVICEservice<>\"'\\#{}?$_:@ \n\u00e9", max_size=40))
def test_the_lexer_takes_any_text(text: str) -> None:
    keyword_scan.forbidden(text, sparql_guard.OUTWARD)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Malmö", "MALMO"),
        ("São  Paulo", "Sao Paulo"),
        ("ﬁnland", "Finland"),
        ("Straße", "STRASSE"),
        ("I\u0307stanbul", "istanbul"),
        ("１２", "12"),
        ("Ann\r\nLee", "ann lee"),
    ],
)
def test_equal_names(one: str, other: str) -> None:
    assert names.name_key(one) == names.name_key(other)


@pytest.mark.parametrize(("one", "other"), [("Ann", "Anna"), ("St. Ives", "St Ives"), ("3", "³ of 4")])
def test_different_names(one: str, other: str) -> None:
    assert names.name_key(one) != names.name_key(other)


@given(st.text(min_size=1))
def test_a_key_is_its_own_key_and_fits(name: str) -> None:
    key = names.name_key(name)
    assert len(key) <= names.LONGEST_KEY
    if len(key) < names.LONGEST_KEY:
        assert names.name_key(key) == key


def test_long_names_with_one_beginning_differ() -> None:
    assert names.name_key("a" * 900 + "b") != names.name_key("a" * 900 + "c")


@given(st.permutations(["MALMÖ", "Malmo", "Malmö", "malmö"]))
def test_the_best_name_does_not_depend_on_the_order(order: list[str]) -> None:
    label = order[0]
    for name in order[1:]:
        label = names.best({label, name})
    assert label == "Malmö"
