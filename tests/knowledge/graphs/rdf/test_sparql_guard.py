"""The check of people's SPARQL by a parser and by an independent lexer; and keys of names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.entities import names
from knowledge.graphs.rdf import parser_process, sparql_guard, sparql_messages
from knowledge.graphs.sparql_server import keyword_scan
from tests.patience import PATIENCE_S

GOOD = [
    ("SELECT * WHERE { ?s ?p ?o } LIMIT 5", "select"),
    ("PREFIX a: <urn:service#> SELECT ?service { ?service a:load 'SERVICE <x>' # SERVICE\n }", "select"),
    ("SELECT * { ?s <http://load.example/service> 'Secret Service' FILTER(?s < 3) }", "select"),
    ('ASK { ?s ?p """LOAD " <urn:x> SERVICE""" }', "ask"),
    ("CONSTRUCT { ?s <urn:SERVICE> ?o } WHERE { ?s <urn:LOAD> ?o }", "construct"),
    ("DESCRIBE <urn:x>", "describe"),
    ("BASE <urn:x>#<\nPREFIX\n: <#> prefix a.b-c:<y> # PREFIX\nAsK { :a a.b-c:d 1 }", "ask"),
    ("\\u0053ELECT * { ?s ?p ?o }", "select"),
    ("SELECT ?x { GRAPH ?g { ?s ?p ?x } FILTER NOT EXISTS { ?x a ?y } } ORDER BY ?x", "select"),
]
BAD = [
    ("INSERT DATA { <urn:a> <urn:b> 1 }", "Updates"),
    ("DROP ALL", "Updates"),
    ("CLEAR GRAPH <urn:g>", "Updates"),
    ("DELETE WHERE { ?s ?p ?o }", "Updates"),
    ("# a comment\n\\u0044ROP ALL", "Updates"),
    ("PREFIX a: <urn:x#> WITH <urn:g> DELETE {} WHERE {}", "Updates"),
    ("PREFIX a: <urn:x#>\nnonsense", "line 2"),
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
        raise sparql_guard.QueryRefused(sparql_guard.refusal(text, parser_process.judged(text)))
    assert len(str(refused.value)) < 200 and "'" not in str(refused.value).replace("'x'", "")


def test_declared_prefixes_are_accepted_wherever_they_are_used() -> None:
    text = "PREFIX : <urn:a#> PREFIX x: <urn:b#> SELECT * { ?s :p/x:q|^:r x:o FILTER(x:f(?s) = '1'^^x:t) }"
    assert parser_process.judged(text) == {"kind": sparql_guard.check(text)}


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


@pytest.mark.parametrize("text", [text for text, _ in GOOD])
def test_the_parser_accepts_them_too(text: str) -> None:
    assert parser_process.judged(text) == {"kind": sparql_guard.check(text)}


def test_the_parser_alone_finds_a_service_too() -> None:
    hidden = "SELECT * { OPTIONAL { { SELECT * { SERVICE <http://a> { ?s ?p ?o } } } } }"
    assert "SERVICE" in parser_process.judged(hidden)["refused"]
    with pytest.raises(sparql_guard.QueryRefused, match="SERVICE"):
        sparql_guard.check_by_parser(hidden, PATIENCE_S)
    with pytest.raises(sparql_guard.QueryRefused, match="line 1"):
        sparql_guard.check_by_parser("SELECT * WHERE { ?s ?p ?o ", PATIENCE_S)
    sparql_guard.check_by_parser("SELECT * { ?s ?p ?o }", PATIENCE_S)


def test_the_parser_is_ended_at_its_limit() -> None:
    with pytest.raises(sparql_guard.QueryRefused, match="too long"):
        sparql_guard.check_by_parser(f"SELECT * {{ FILTER(1 IN ({'1,' * 9000}1)) }}", 0.3)


# Each made an earlier scan begin anew at every place: 12 seconds for 20,000 characters.
HEAVY = [
    "a-",
    "\u00e9-",
    "\\'",
    '\\"',
    "'",
    '"',
    "'''",
    "'\n\"",
    "<",
    "<#>",
    "<'>",
    "<'''>",
    "'\\\\'\\",
    "a:",
    "\\u0041-",
    "@a-",
    "PREFIX a:<b>",
    "PREFIX a",
    "BASE ",
    "#",
    "{}",
]


class Counted(str):
    """A text that counts how often something is looked up in it."""

    lookups = 0

    def startswith(self, *given: Any) -> bool:
        type(self).lookups += 1
        return str.startswith(self, *given)


@pytest.mark.parametrize("beginning", ["", "'", '"', "'''", '"""', "<"])
@pytest.mark.parametrize("repeated", HEAVY)
def test_the_scan_takes_time_in_proportion_to_the_text(beginning: str, repeated: str) -> None:
    """By the places at which it looks and the characters of unclosed strings, each of which it visits once."""
    text = beginning + repeated * (4000 // len(repeated))
    spans = keyword_scan._Spans(text)
    for place in range(len(text)):
        spans.end(place)
    for mark, places in spans._open.items():
        assert len(places) <= len(text) + 1, mark
    Counted.lookups = 0
    list(keyword_scan._bare_words(Counted(text)))
    assert Counted.lookups <= 8 * len(text) + 8


@pytest.mark.parametrize("repeated", HEAVY)
def test_the_guard_judges_the_longest_texts(repeated: str) -> None:
    """A scan in quadratic time would take minutes for all of them."""
    with pytest.raises(sparql_guard.QueryRefused):
        sparql_guard.check(repeated * (sparql_guard.LONGEST // len(repeated)))


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
