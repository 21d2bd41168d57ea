"""Refuses, before anything is sent, updates and queries that reach other servers.

The text is parsed with rdflib and refused where that cannot parse it; the bundled server checks again by its own rules.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from knowledge.graphs.rdf import sparql_messages
from knowledge.graphs.sparql_server.keyword_scan import forbidden

LONGEST = 20_000  # characters; people write no longer ones
DEEPEST = 60  # brackets within brackets
OUTWARD = frozenset({"SERVICE", "LOAD"})
# The parser builds its grammar during its first parse: two threads that do so at once corrupt it for good.
_one_at_a_time = threading.Lock()
KINDS = {"SelectQuery": "select", "AskQuery": "ask", "ConstructQuery": "construct", "DescribeQuery": "describe"}


class QueryRefused(ValueError):
    """The text is not sent; the message explains why to its author."""


def check(text: str) -> str:
    """The kind of a query that may be sent: select, ask, construct or describe. Raises QueryRefused."""
    if len(text) > LONGEST:
        raise QueryRefused(f"The query has {len(text)} characters; {LONGEST} are allowed.")
    if "\0" in text:
        raise QueryRefused("The query contains a NUL character.")
    if _depth(text) > DEEPEST:
        raise QueryRefused(f"The query nests brackets more than {DEEPEST} deep.")
    outward = forbidden(text, OUTWARD)
    if outward:
        raise QueryRefused(f"{outward} is not allowed: queries stay within this graph.")
    with _one_at_a_time:
        prologue, parsed = _parsed(text)
    kind = KINDS.get(getattr(parsed, "name", ""))
    if kind is None:
        raise QueryRefused("Only SELECT, ASK, CONSTRUCT and DESCRIBE are allowed.")
    # By the names too: rdflib may add other nodes for it.
    if any("service" in name.lower() or "load" in name.lower() for name in _names(parsed)):
        raise QueryRefused("SERVICE is not allowed: queries stay within this graph.")
    declared = {_prefix(part) for part in _parts(prologue) if part.name == "PrefixDecl"}
    undeclared = {_prefix(part) for part in _parts(parsed) if part.name == "pname"} - declared
    if undeclared:
        raise QueryRefused(sparql_messages.undeclared(undeclared))
    return kind


def _parsed(text: str) -> Any:
    from pyparsing import ParseBaseException
    from rdflib.plugins.sparql.parser import parseQuery

    try:
        return parseQuery(text)
    except ParseBaseException as error:
        raise QueryRefused(sparql_messages.unreadable(text, error.lineno, error.column)) from error
    except RecursionError as error:
        raise QueryRefused("The query is nested too deeply.") from error
    except Exception as error:  # a parser that fails in another way has not parsed the text either
        raise QueryRefused(f"The query cannot be read ({type(error).__name__}).") from error


def _prefix(part: Any) -> str:
    return str(part["prefix"]) if "prefix" in part else ""


def _names(part: Any) -> Iterator[str]:
    """The names of a parse tree's nodes."""
    return (one.name for one in _parts(part))


def _parts(part: Any) -> Iterator[Any]:
    from rdflib.plugins.sparql.parserutils import CompValue

    waiting = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, CompValue):
            yield one
            waiting += list(one.values())
        elif isinstance(one, list | tuple | set) or type(one).__name__ == "ParseResults":
            waiting += list(one)


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign in "({[") - (sign in ")}]")
        deepest = max(deepest, depth)
    return deepest
