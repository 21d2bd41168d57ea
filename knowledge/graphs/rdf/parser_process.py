"""Parses one query with rdflib, in a process of its own that its caller kills at its limit. Run as a file; no Django.

Reads the query from stdin, its limits (bytes of address space, seconds of processor time) from the command line; writes
one line of JSON: the kind of the query, or what is wrong with it.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

KINDS = {"SelectQuery": "select", "AskQuery": "ask", "ConstructQuery": "construct", "DescribeQuery": "describe"}


def main() -> None:
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(judged(sys.stdin.buffer.read().decode())))


def judged(text: str) -> dict[str, Any]:
    """`kind`; or `line` and `column` of an error, `undeclared` prefixes, or `refused` with the reason."""
    from pyparsing import ParseBaseException
    from rdflib.plugins.sparql.parser import parseQuery

    try:
        prologue, parsed = parseQuery(text)
    except ParseBaseException as error:
        return {"line": error.lineno, "column": error.column}
    except (RecursionError, MemoryError):
        return {"refused": "The query is nested too deeply."}
    except Exception as error:  # a parser that fails in another way has not parsed the text either
        return {"refused": f"The query cannot be read ({type(error).__name__})."}
    # By the names too: rdflib may add other nodes for it.
    if any("service" in name.lower() or "load" in name.lower() for name in (part.name for part in _parts(parsed))):
        return {"refused": "SERVICE is not allowed: queries stay within this graph."}
    declared = {_prefix(part) for part in _parts(prologue) if part.name == "PrefixDecl"}
    undeclared = {_prefix(part) for part in _parts(parsed) if part.name == "pname"} - declared
    if undeclared:
        return {"undeclared": sorted(undeclared)}
    kind = KINDS.get(getattr(parsed, "name", ""))
    return {"kind": kind} if kind else {"refused": "Only SELECT, ASK, CONSTRUCT and DESCRIBE are allowed."}


def _prefix(part: Any) -> str:
    return str(part["prefix"]) if "prefix" in part else ""


def _parts(part: Any) -> Iterator[Any]:
    """The nodes of a parse tree."""
    from rdflib.plugins.sparql.parserutils import CompValue

    waiting = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, CompValue):
            yield one
            waiting += list(one.values())
        elif isinstance(one, list | tuple | set) or type(one).__name__ == "ParseResults":
            waiting += list(one)


if __name__ == "__main__":
    main()
