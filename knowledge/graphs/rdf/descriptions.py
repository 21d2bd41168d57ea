"""DESCRIBE as a CONSTRUCT query: the triples about a resource in every graph of the queried dataset.

SPARQL leaves open what DESCRIBE returns. Most servers return triples of the default graph alone, which has none about
posts, assertions and depictions. As a query in standard SPARQL the answer is the same on every server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?:\s+|\#[^\n\r]*)*
    (?: (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
      | (?P<variable>[?$]\w+)
      | (?P<all>\*)
      | (?P<name>(?:[^\W\d][\w.\-]*)?:(?:[\w:%.\-]|\\.)*)
      | (?P<word>[A-Za-z]+) )""",
    re.VERBOSE,
)
_RESOURCES = {"iri", "name", "variable", "all"}


def as_construct(query: str) -> str:
    """A DESCRIBE query, checked by `sparql_guard`, as the CONSTRUCT query with the triples about its resources."""
    from rdflib.plugins.sparql.parser import expandUnicodeEscapes

    text = expandUnicodeEscapes(query)
    tokens = list(_head(text))
    begins = next(place for place, one in enumerate(tokens) if (one["word"] or "").upper() == "DESCRIBE")
    after = begins + 1
    while after < len(tokens) and tokens[after].lastgroup in _RESOURCES:
        after += 1
    resources = tokens[begins + 1 : after]
    dataset = _dataset(tokens[after:])
    place = (dataset or resources)[-1].end()
    clauses = text[dataset[0].start() : place].strip() if dataset else ""
    return _query(text[: tokens[begins].start()], resources, clauses, text[place:])


def _head(text: str) -> Iterator[re.Match[str]]:
    """The tokens up to the first bracket or number."""
    place = 0
    while found := _TOKEN.match(text, place):
        yield found
        place = found.end()


def _dataset(tokens: list[re.Match[str]]) -> list[re.Match[str]]:
    """The clauses FROM and FROM NAMED at the beginning."""
    end = 0
    while end < len(tokens) and (tokens[end]["word"] or "").upper() == "FROM":
        end += 3 if (tokens[end + 1]["word"] or "").upper() == "NAMED" else 2
    return tokens[:end]


def _query(prologue: str, resources: list[re.Match[str]], dataset: str, pattern: str) -> str:
    place = re.match(r"(?:\s+|#[^\n\r]*)*(?:WHERE\b)?(?:\s+|#[^\n\r]*)*", pattern, re.IGNORECASE)
    assert place is not None
    rest = pattern[place.end() :]
    rest = rest if rest.startswith("{") else f"{{}} {rest}"
    names = "*" if any(one["all"] for one in resources) else " ".join(one["variable"] or "" for one in resources)
    select = f"SELECT {names} WHERE {rest}"
    constants = [one["iri"] or one["name"] for one in resources if one["iri"] or one["name"]]
    variables = _variables(f"{prologue} {select}") if names.strip() else []
    own = _free_names(f"{prologue}{pattern}")
    sources = [f"{{ VALUES {own[0]} {{ {' '.join(constants)} }} }}"] if constants else []
    sources += [
        f"{{ SELECT ({one} AS {own[0]}) WHERE {{ {{ {select}\n}} FILTER(isIRI({one})) }} }}" for one in variables
    ]
    triple = " ".join(own[:3])
    return (
        f"{prologue}\nCONSTRUCT {{ {triple} }} {dataset}\nWHERE {{\n"
        f"{{ SELECT DISTINCT {own[0]} WHERE {{ {' UNION '.join(sources)} }} }}\n"
        f"{{ {triple} }} UNION {{ GRAPH {own[3]} {{ {triple} }} }}\n}}"
    )


def _variables(select: str) -> list[str]:
    """The variables of a SELECT query's rows."""
    from rdflib.plugins.sparql.algebra import translateQuery
    from rdflib.plugins.sparql.parser import parseQuery

    return [f"?{one}" for one in dict.fromkeys(translateQuery(parseQuery(select)).algebra.PV)]


def _free_names(text: str) -> list[str]:
    """Names of variables that the text does not have."""
    end = ""
    while f"resource{end}" in text or f"property{end}" in text or f"value{end}" in text or f"graph{end}" in text:
        end += "_"
    return [f"?{name}{end}" for name in ("resource", "property", "value", "graph")]
