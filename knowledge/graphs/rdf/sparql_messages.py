"""Sentences for queries that cannot be read: where, why, and what to do. Parsers report their grammar instead."""

from __future__ import annotations

import re
from collections.abc import Iterable

from knowledge.ontology.vocabulary import PREFIXES

UPDATES = frozenset(["INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"])
BEGINNINGS = frozenset(["SELECT", "ASK", "CONSTRUCT", "DESCRIBE", "PREFIX", "BASE"])
NO_UPDATES = "Updates are not allowed: the graph is a projection of the record."
LONGEST_EXCERPT = 40
LONGEST_MESSAGE = 300
_PROLOGUE = re.compile(r"(?:\s+|#[^\n]*(?:\n|$)|PREFIX\s+[^\s:]*:\s*<[^<>\s]*>|BASE\s*<[^<>\s]*>)*", re.IGNORECASE)
# The bundled server's parser: the place, then all that its grammar would take there.
_AT = re.compile(r"error at (\d+):(\d+): (.*)", re.DOTALL)


def first_word(text: str) -> str:
    """The keyword with which a query or update begins after its prologue and comments, in capitals."""
    prologue = _PROLOGUE.match(text)
    word = re.match(r"\w*", text[prologue.end() if prologue else 0 :])
    return word.group().upper() if word else ""


def unreadable(text: str, line: int, column: int) -> str:
    """Why a text that is no query cannot be read, for its author."""
    word = first_word(text)
    if not text.strip():
        return "The query is empty. It begins with SELECT, ASK, CONSTRUCT or DESCRIBE, at line 1."
    if word in UPDATES:
        return NO_UPDATES
    if word not in BEGINNINGS:
        begins = f"begins with “{word[:LONGEST_EXCERPT]}”" if word else "does not"
        return (
            f"A query begins with SELECT, ASK, CONSTRUCT or DESCRIBE after its PREFIX lines; this one {begins}. It "
            f"cannot be read at line {line}, column {column}."
        )
    return f"{_place(text, line, column)}{_brackets(text)}"


def undeclared(prefixes: Iterable[str]) -> str:
    """Of prefixes that a query uses and does not declare."""
    names = sorted(prefixes)
    lines = [f"PREFIX {name}: <{PREFIXES.get(name, 'http://…')}>" for name in names]
    listed = " and ".join(f"{name}:" for name in names)
    verb = "is" if len(names) == 1 else "are"
    return f"{listed} {verb} not declared. Begin the query with {' '.join(lines)}"


def of_server(message: str) -> str:
    """A store's message without its grammar, in at most a few lines."""
    found = _AT.search(message)
    if found is None:
        return message[:LONGEST_MESSAGE]
    line, column, expected = found.groups()
    where = f"at line {line}, column {column}"
    if "unbound" in expected:
        return f"The SELECT names a variable that GROUP BY leaves out ({where}). Group by it, or aggregate it."
    if "Prefix not found" in expected:
        return f"A prefix is not declared {where}. Begin the query with a PREFIX line for it."
    return f"The query cannot be read {where}."


def _place(text: str, line: int, column: int) -> str:
    lines = text.splitlines()
    rest = lines[line - 1][column - 1 :].strip() if 0 < line <= len(lines) else ""
    if not rest:
        return f"The query ends too early, or cannot be read at line {line}, column {column}."
    excerpt = rest[:LONGEST_EXCERPT] + ("…" if len(rest) > LONGEST_EXCERPT else "")
    return f"The query cannot be read from line {line}, column {column} on: “{excerpt}”."


def _brackets(text: str) -> str:
    for left, right in ("{}", "()"):
        more = text.count(left) - text.count(right)
        if more:
            sign, count = (left, more) if more > 0 else (right, -more)
            return f" It has {count} “{sign}” without its counterpart." if sign in text else ""
    return ""
