"""Concurrent queries from the first moment of a process: the parser builds its grammar when it parses first."""

from __future__ import annotations

import subprocess
import sys

from kgbuilder.conf.environment import ROOT

CODE = """
import sys, threading
from knowledge.graphs import guard
sys.setswitchinterval(1e-5)
start, refused = threading.Barrier(16), []
def ask():
    start.wait()
    for _ in range(3):
        try:
            guard.check("SELECT ?r (COUNT(*) AS ?n) WHERE { ?h ?r ?t } GROUP BY ?r ORDER BY DESC(?n) LIMIT 20")
        except Exception as error:
            refused.append(repr(error))
threads = [threading.Thread(target=ask) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(refused), refused[:1])
"""


def test_queries_that_are_checked_at_once_are_all_understood() -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "0 []", ended.stdout + ended.stderr
