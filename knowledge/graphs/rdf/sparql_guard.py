"""Refuses, before anything is sent, updates and queries that reach other servers.

Everything here takes time in proportion to the text, since it runs in the web process, before any limit. What does not,
parsing, is done by child processes: the bundled server's, or `check_by_parser` before a query goes to another server.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from knowledge.graphs.rdf import sparql_messages
from knowledge.graphs.sparql_server.keyword_scan import forbidden, unescaped

LONGEST = 20_000  # characters; people write no longer ones
DEEPEST = 60  # brackets within brackets
OUTWARD = frozenset({"SERVICE", "LOAD"})
KINDS = ("SELECT", "ASK", "CONSTRUCT", "DESCRIBE")
PARSER = Path(__file__).with_name("parser_process.py")
MEMORY = 1 << 30  # bytes of the parser's address space
_PROLOGUE = re.compile(
    r"""(?: \s++ | \#[^\n\r]*+
      | BASE (?:\s++ | \#[^\n\r]*+)*+ <[^<>]*+>
      | PREFIX (?:\s++ | \#[^\n\r]*+)*+ (?:[^\W\d][\w.\-]*+)?+ : (?:\s++ | \#[^\n\r]*+)*+ <[^<>]*+> )*+""",
    re.VERBOSE | re.IGNORECASE,
)
_BRACKET = re.compile(r"[(){}\[\]]")
_WORD = re.compile(r"[A-Za-z]+")


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
    return _kind(text)


def check_by_parser(text: str, seconds: float) -> None:
    """Has a second parser judge the query, in a process that ends with its limits. Raises QueryRefused.

    For servers that may not refuse SERVICE themselves: the bundled one parses each query in its own child.
    """
    command = [sys.executable, "-I", str(PARSER), str(MEMORY), str(math.ceil(seconds))]
    try:
        ended = subprocess.run(
            command, input=text.encode("utf-8", "replace"), capture_output=True, timeout=seconds, check=False, env={}
        )
    except subprocess.TimeoutExpired:
        raise QueryRefused(f"The query is too long to be read within {seconds:g} seconds.") from None
    if ended.returncode:
        raise QueryRefused("The query is too long or nested too deeply to be read.")
    refused = refusal(text, json.loads(ended.stdout))
    if refused:
        raise QueryRefused(refused)


def refusal(text: str, found: dict[str, Any]) -> str:
    """What the parser found, as a sentence; "" where it accepts the query."""
    if "line" in found:
        return sparql_messages.unreadable(text, found["line"], found["column"])
    if found.get("undeclared"):
        return sparql_messages.undeclared(found["undeclared"])
    return str(found.get("refused", ""))


def _kind(text: str) -> str:
    """The kind of a query, by its first keyword after the prologue."""
    plain = unescaped(text)
    beginning = _PROLOGUE.match(plain)
    place = beginning.end() if beginning else 0
    word = (_WORD.match(plain, place) or [""])[0].upper()
    if word not in KINDS:
        line, column = plain.count("\n", 0, place) + 1, place - plain.rfind("\n", 0, place)
        raise QueryRefused(sparql_messages.unreadable(plain, line, column))
    return word.lower()


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _BRACKET.finditer(text):
        depth += 1 if found[0] in "({[" else -1
        deepest = max(deepest, depth)
    return deepest
