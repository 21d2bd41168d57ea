"""Answers one query on a snapshot, in a process of its own that may be killed at any moment. Run as a file.

Reads one JSON object from stdin: store (a folder), query, format, rows and bytes (limits of the answer), memory (bytes
of address space).
Writes one line of JSON on the answer, then the answer. It ends with its parent, and can open no socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import platform
import re
import resource
import signal
import struct
import sys
from typing import Any

JSON, XML = "application/sparql-results+json", "application/sparql-results+xml"
_ENDS_IN_NAME = re.compile(r"[^\W\d][\w.\-]*$")


class NoForm(Exception):
    """The requested format cannot hold the answer; the message is for the query's author."""


def main() -> None:
    task = json.loads(sys.stdin.buffer.readline())
    die_with(task["parent"])
    resource.setrlimit(resource.RLIMIT_AS, (task["memory"], task["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Before any thread of the store starts: later threads inherit the filter.
    shut = deny_sockets()
    import pyoxigraph

    store = pyoxigraph.Store.read_only(task["store"])
    try:
        about, body = answer(store, task)
    except (SyntaxError, ValueError) as error:
        about, body = {"error": f"The query cannot be read: {error}", "status": 400}, b""
    except NoForm as error:
        about, body = {"error": str(error)}, b""
    except (OSError, RuntimeError) as error:  # the engine's own, for a function that it does not have
        about, body = {"error": f"The query could not be answered: {error}"}, b""
    if len(body) > task["bytes"]:
        about, body = {"error": f"The answer is larger than {task['bytes'] >> 20} MB. Ask for fewer rows."}, b""
    sys.stdout.buffer.write(json.dumps({**about, "shut": shut}).encode() + b"\n" + body)
    sys.stdout.buffer.flush()
    # Not by the interpreter's exit: freeing a store that is thrown away takes time.
    os._exit(0)


def answer(store: Any, task: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    import pyoxigraph

    results = store.query(task["query"])
    rows = int(task["rows"])
    if isinstance(results, pyoxigraph.QueryTriples):
        triples = list(itertools.islice(results, rows + 1))
        kind = pyoxigraph.RdfFormat.from_media_type(task["format"]) or pyoxigraph.RdfFormat.TURTLE
        if kind == pyoxigraph.RdfFormat.RDF_XML:
            check_properties(triples)
        body = pyoxigraph.serialize(triples[:rows], format=kind) or b""
        return {"type": kind.media_type, "truncated": len(triples) > rows}, body
    form = pyoxigraph.QueryResultsFormat.from_media_type(task["format"]) or pyoxigraph.QueryResultsFormat.JSON
    if isinstance(results, pyoxigraph.QueryBoolean):
        return {"type": form.media_type, "truncated": False}, _boolean(bool(results), form)
    solutions = list(itertools.islice(results, rows + 1))
    names = [variable.value for variable in results.variables]
    bindings = [_binding(names, solution) for solution in solutions[:rows]]
    plain = json.dumps({"head": {"vars": names}, "results": {"bindings": bindings}}, ensure_ascii=False)
    about = {"type": form.media_type, "truncated": len(solutions) > rows}
    if form == pyoxigraph.QueryResultsFormat.JSON:
        return about, plain.encode()
    read = pyoxigraph.parse_query_results(plain.encode(), pyoxigraph.QueryResultsFormat.JSON)
    return about, read.serialize(format=form) or b""


def check_properties(triples: list[Any]) -> None:
    """In RDF/XML a property is the name of an element. Raises NoForm for one whose IRI does not end in a name."""
    for triple in triples:
        if not _ENDS_IN_NAME.search(triple.predicate.value):
            raise NoForm(f"RDF/XML has no form for the property <{triple.predicate.value}>. Ask for Turtle.")


def _boolean(value: bool, form: Any) -> bytes:
    import pyoxigraph

    plain = json.dumps({"head": {}, "boolean": value}).encode()
    if form == pyoxigraph.QueryResultsFormat.JSON:
        return plain
    return pyoxigraph.parse_query_results(plain, pyoxigraph.QueryResultsFormat.JSON).serialize(format=form) or b""


def _binding(names: list[str], solution: Any) -> dict[str, dict[str, Any]]:
    return {name: _term(term) for name, term in zip(names, solution, strict=True) if term is not None}


def _term(term: Any) -> dict[str, Any]:
    import pyoxigraph

    if isinstance(term, pyoxigraph.NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, pyoxigraph.BlankNode):
        return {"type": "bnode", "value": term.value}
    if not isinstance(term, pyoxigraph.Literal):
        raise ValueError("the answer holds a triple within a triple, which this graph has none of")
    if term.language:
        return {"type": "literal", "value": term.value, "xml:lang": term.language}
    if term.datatype.value == "http://www.w3.org/2001/XMLSchema#string":
        return {"type": "literal", "value": term.value}
    return {"type": "literal", "value": term.value, "datatype": term.datatype.value}


def die_with(parent: int) -> None:
    """End this process when its parent ends, where the system supports it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


# The numbers of socket(2), connect(2) and io_uring_setup(2): without them the process reaches no other process.
_CALLS = {"x86_64": (0xC000003E, (41, 42, 425)), "aarch64": (0xC00000B7, (198, 203, 425))}


def deny_sockets() -> bool:
    """Make the kernel refuse sockets to this process for good. False where this is not available: there only the
    checks of the text protect."""
    machine = _CALLS.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    architecture, calls = machine
    load, jump, end = 0x20, 0x15, 0x06
    refuse, allow, kill = 0x00050001, 0x7FFF0000, 0x80000000
    count = len(calls)
    # struct seccomp_data: the call's number at 0, the architecture at 4
    steps = [(load, 0, 0, 4), (jump, 1, 0, architecture), (end, 0, 0, kill), (load, 0, 0, 0)]
    # x32 calls share the architecture and have bit 30 set
    steps += [(0x35, count + 1, 0, 0x40000000)] if machine[0] == 0xC000003E else []
    steps += [(jump, count - place, 0, call) for place, call in enumerate(calls)]
    steps += [(end, 0, 0, allow), (end, 0, 0, refuse)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(buffer)))
    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
        result: bool = prctl(38, 1, None, 0, 0) == 0 and prctl(22, 2, ctypes.addressof(program), 0, 0) == 0
        return result
    return False


if __name__ == "__main__":
    main()
