"""A bundled SPARQL server of a benchmark's own, in a folder that is deleted afterwards."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge.graphs.rdf.sparql_store import BUNDLED, SparqlStore


@contextmanager
def serving() -> Iterator[SparqlStore]:
    """An empty store on a server that is started as the product starts its own."""
    with tempfile.TemporaryDirectory(prefix="kg-bench-") as name:
        folder, token = Path(name), secrets.token_hex(16)
        socket = folder / "sparql.sock"
        command = [sys.executable, "-m", "knowledge.graphs.sparql_server.server", "--store", str(folder / "graph")]
        environ = os.environ | {"SPARQL_TOKEN": token}
        process = subprocess.Popen([*command, "--socket", str(socket)], env=environ, stdout=subprocess.PIPE)
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise RuntimeError("The bundled SPARQL server did not start; its message is above.")
            yield SparqlStore(f"{BUNDLED}/ask", f"{BUNDLED}/update", token, socket)
        finally:
            process.terminate()
            process.wait()
