"""Plans and runs one Cypher query, in a process of its own that ends at its deadline whatever the server does.

Run as a module. Reads one JSON object from stdin: server (url, user, password, database), query, parameters,
plan_seconds, seconds, rows, largest (characters), memory (bytes of address space), mark (the transaction's name),
parent. Writes one JSON object: `answer`, or `error` with `message`. At a deadline SIGALRM ends it without a word. No
Django.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

import neo4j
from neo4j.exceptions import ClientError, DriverError, Neo4jError

from knowledge.graphs.neo4j import cypher_guard
from knowledge.graphs.neo4j.answers import AnswerReader, AnswerTooLarge, CypherAnswer
from knowledge.graphs.rdf.sparql_guard import QueryRefused
from knowledge.graphs.sparql_server.query_process import die_with

APP = "kgbuilder console"
CONNECT_SECONDS = 5.0


def main() -> None:
    task = json.loads(sys.stdin.buffer.readline())
    die_with(task["parent"])
    resource.setrlimit(resource.RLIMIT_AS, (task["memory"], task["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(json.dumps(outcome(task)).encode())
    sys.stdout.buffer.flush()
    os._exit(0)  # closing the driver may wait for a server that does not respond


def outcome(task: dict[str, Any]) -> dict[str, Any]:
    """`answer`, or `error`: refused, failed, unavailable or login."""
    try:
        return {"answer": asked(task).as_json()}
    except QueryRefused as error:
        return {"error": "refused", "message": str(error)}
    except AnswerTooLarge:
        return {
            "error": "failed",
            "message": f"The answer is larger than {task['largest'] >> 20} MB. Ask for fewer rows.",
        }
    except neo4j.exceptions.AuthError:
        return {"error": "login", "message": ""}
    except Neo4jError as error:
        return _reported(error)
    except (DriverError, OSError) as error:
        return {"error": "unavailable", "message": type(error).__name__}


def asked(task: dict[str, Any]) -> CypherAnswer:
    server = task["server"]
    auth = (server["user"], server["password"]) if server["password"] else None
    _alarm(CONNECT_SECONDS + task["plan_seconds"])
    with (
        neo4j.GraphDatabase.driver(
            server["url"],
            auth=auth,
            user_agent="kgbuilder",
            connection_timeout=CONNECT_SECONDS,
            connection_acquisition_timeout=CONNECT_SECONDS,
            notifications_min_severity="OFF",
            telemetry_disabled=True,
        ) as driver,
        driver.session(
            database=server["database"] or None, default_access_mode=neo4j.READ_ACCESS, fetch_size=500
        ) as session,
    ):
        cypher_guard.check_plan(plan(session, task["query"], task["parameters"], task["plan_seconds"], task["mark"]))
        _alarm(task["seconds"] + 0.5)  # the server's own message first, if it gives one
        return run(session, task)


def plan(
    session: neo4j.Session, text: str, parameters: dict[str, Any], seconds: float, mark: str = ""
) -> dict[str, Any] | None:
    with session.begin_transaction(timeout=seconds, metadata={"app": APP, "mark": mark}) as transaction:
        # On a line of its own: nothing at the text's beginning can become a part of the word.
        return transaction.run(f"EXPLAIN\n{text}", parameters).consume().plan


def run(session: neo4j.Session, task: dict[str, Any]) -> CypherAnswer:
    """Raises AnswerTooLarge."""
    metadata = {"app": APP, "mark": task["mark"]}
    with session.begin_transaction(timeout=task["seconds"], metadata=metadata) as transaction:
        result = transaction.run(task["query"], task["parameters"])
        answer, reader = CypherAnswer(list(result.keys())), AnswerReader(task["largest"])
        for record in result:
            if len(answer.rows) == task["rows"]:
                answer.truncated = True
                break
            answer.rows.append([reader.value(value) for value in record.values()])
        answer.nodes, answer.edges = reader.nodes, reader.edges
        # The server discards what was not fetched, and a read transaction has nothing to commit.
        transaction.close()
    return answer


def _alarm(seconds: float) -> None:
    """End this process after `seconds`, in whatever call it waits."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _reported(error: Neo4jError) -> dict[str, Any]:
    code, message = error.code or "", (error.message or str(error)).strip()[:1000]
    if "TransactionTimedOut" in code or code.endswith("Transaction.Terminated"):
        return {"error": "failed", "message": "The query exceeded its time limit and was stopped."}
    if "OutOfMemory" in code:
        return {"error": "failed", "message": "The query exceeded its memory limit and was stopped."}
    if isinstance(error, ClientError) and code.startswith("Neo.ClientError.Statement"):
        return {"error": "failed", "message": f"Neo4j cannot run it: {message}"}
    if isinstance(error, ClientError):
        return {"error": "failed", "message": f"Neo4j refused it ({code}): {message}"}
    return {"error": "unavailable", "message": f"{code}: {message}"}


if __name__ == "__main__":
    main()
