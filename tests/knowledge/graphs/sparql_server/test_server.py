"""The bundled SPARQL server: protocol, token, limits, isolation, and what a kill leaves."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph
import pytest

from knowledge.graphs.rdf import sparql_guard, sparql_store
from knowledge.graphs.sparql_server import snapshot_queries
from knowledge.graphs.sparql_server.snapshot_queries import SnapshotQueryFailed, _ask
from tests.patience import PATIENCE_S
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = pytest.mark.integration

FORMS = {
    "application/sparql-results+json": '"value"',
    "application/sparql-results+xml": "<sparql",
    "text/csv": "n\r\n1",
    "text/tab-separated-values": "?n\n1",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    shared.store().clear()
    return shared


def insert(server: Server, count: int) -> None:
    triples = "".join(f"<urn:s> <urn:p> {number} .\n" for number in range(count))
    server.store().update(f"INSERT DATA {{ {triples} }}")


def ask(server: Server, query: str, **fields: str) -> httpx.Response:
    accept = fields.pop("accept", sparql_store.JSON)
    with server.client() as client:
        return client.post("/query", data={"query": query, **fields}, headers={"Accept": accept})


def people_see(server: Server, query: str) -> list[dict[str, dict[str, str]]]:
    """The rows once a snapshot young enough has been made."""
    rows: list[dict[str, dict[str, str]]] = ask(server, query).json()["results"]["bindings"]
    return rows


def test_what_is_written_is_read_at_once_by_the_product_and_soon_by_people(server: Server) -> None:
    insert(server, 3)
    assert len(server.store().select("SELECT * { ?s ?p ?o }")) == 3
    time.sleep(2)  # longer than a snapshot is young
    assert len(people_see(server, "SELECT * { ?s ?p ?o }")) == 3


@pytest.mark.parametrize("accept", FORMS)
def test_the_forms_of_a_table(server: Server, accept: str) -> None:
    answer = ask(server, "SELECT ?n { VALUES ?n { 1 } }", accept=accept)
    assert answer.headers["Content-Type"].startswith(accept)
    assert FORMS[accept] in answer.text


@pytest.mark.parametrize("accept", ["text/turtle", "application/n-triples"])
def test_the_forms_of_a_graph(server: Server, accept: str) -> None:
    answer = ask(server, "CONSTRUCT { <urn:a> <urn:b> 1 } WHERE {}", accept=accept)
    assert answer.headers["Content-Type"].startswith(accept) and "<urn:a>" in answer.text


def test_a_question_with_yes_or_no(server: Server) -> None:
    assert ask(server, "ASK { VALUES ?x { 1 } }").json()["boolean"] is True
    assert ask(server, "ASK { <urn:no> ?p ?o }").json()["boolean"] is False


def test_the_three_ways_of_the_protocol(server: Server) -> None:
    text = "ASK {}"
    with server.client() as client:
        by_address = client.get("/query", params={"query": text})
        by_form = client.post("/query", data={"query": text})
        by_body = client.post("/query", content=text, headers={"Content-Type": "application/sparql-query"})
    assert [answer.json()["boolean"] for answer in (by_address, by_form, by_body)] == [True, True, True]


def test_rows_are_cut_at_the_limit_and_marked_as_truncated(server: Server) -> None:
    query = "SELECT * { VALUES ?x { 1 2 3 } }"
    cut, whole = ask(server, query, rows="2"), ask(server, query, rows="3")
    assert (len(cut.json()["results"]["bindings"]), cut.headers["X-Truncated"]) == (2, "1")
    assert (len(whole.json()["results"]["bindings"]), whole.headers["X-Truncated"]) == (3, "0")


def test_awkward_words_come_back_as_they_were(server: Server) -> None:
    words = 'tab\t "quoted" \\ line\nbreak \u0007 émoji 🜁 ‏שלום'
    server.store().update(f"INSERT DATA {{ <urn:s> <urn:p> {pyoxigraph.Literal(words)} }}")
    [row] = server.store().select("SELECT ?o { ?s ?p ?o }")
    assert row["o"]["value"] == words


def test_nothing_is_answered_without_the_token(server: Server) -> None:
    for token in ("x", "wrong", TOKEN + "x"):
        with server.client(token) as client:
            for path in ("/health", "/dump", "/query?query=ASK%20%7B%7D"):
                assert client.get(path).status_code == 401
            assert client.post("/update", data={"update": "CLEAR ALL"}).status_code == 401


def test_the_socket_file_is_its_owners_alone(server: Server) -> None:
    assert server.socket.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("update", ["INSERT DATA { <urn:a> <urn:b> 1 }", "CLEAR ALL", "DROP SILENT GRAPH <urn:g>"])
def test_an_update_is_no_query(server: Server, update: str) -> None:
    answer = ask(server, update)
    assert answer.status_code == 400 and "cannot be read" in answer.text
    assert server.store().health()["empty"]


def test_an_update_is_done_whole_or_not_at_all(server: Server) -> None:
    with pytest.raises(sparql_store.StoreRefused):
        server.store().update("INSERT DATA { <urn:a> <urn:b> 1 }; INSERT DATA { <urn:a> <urn:b> ?x }")
    assert server.store().health()["empty"]


def test_a_query_that_takes_too_long_is_ended_and_the_server_lives() -> None:
    with serving(seconds=1.0, children=1) as server:
        insert(server, 300)
        began = time.monotonic()
        answer = ask(server, "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }")
        assert answer.status_code == 504 and "longer than 1 second" in answer.text
        assert time.monotonic() - began < PATIENCE_S
        assert ask(server, "ASK {}").json()["boolean"] is True


def test_a_query_that_takes_too_much_memory_is_ended_and_the_server_lives(server: Server) -> None:
    insert(server, 2000)
    time.sleep(2)
    answer = ask(server, "SELECT ?c ?f ?i { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?i ?f ?c")
    assert answer.status_code in (504, 507)
    assert ask(server, "ASK {}").json()["boolean"] is True


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("SELECT (<http://no/such>(1) AS ?x) {}", 422, "no/such> is not supported"),
        ("SELECT (NOSUCH(1) AS ?x) {}", 400, "cannot be read"),
        (f"SELECT * {{ FILTER({'!' * 19_000}1) }}", 422, "nested too deeply"),
        (f"SELECT * {{ ?s ?p ?o FILTER({'+'.join(['1'] * 9900)}=1) }}", 422, "nested too deeply"),
    ],
)
def test_a_query_that_ends_its_process_is_told_why(server: Server, query: str, status: int, reason: str) -> None:
    insert(server, 1)
    answer = ask(server, query)
    assert (answer.status_code, reason in answer.text) == (status, True), answer.text
    assert ask(server, "ASK { ?s ?p ?o }").status_code == 200


def test_more_queries_than_may_run_or_wait_are_turned_away() -> None:
    slow = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    with serving(seconds=3.0, children=1) as server:
        insert(server, 300)
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(ask(server, slow).status_code)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 503 in statuses and 504 in statuses
        assert set(statuses) <= {503, 504}


class Listener:
    """Somebody on loopback who notes every knock."""

    def __init__(self) -> None:
        self.knocks = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/sparql"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.knocks += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


WAYS_OUT = [
    "SELECT * { SERVICE <%s> { ?s ?p ?o } }",
    "SELECT * { SERVICE SILENT <%s> { ?s ?p ?o } }",
    "select * { service <%s> { ?s ?p ?o } }",
    "SELECT * { \\u0053ERVICE <%s> { ?s ?p ?o } }",
    "SELECT * { BIND(<%s> AS ?there) SERVICE ?there { ?s ?p ?o } }",
    "SELECT * { { SELECT * { OPTIONAL { SERVICE <%s> { ?s ?p ?o } } } } }",
    "ASK { FILTER EXISTS { SERVICE <%s> { ?s ?p ?o } } }",
    'SELECT * { # a comment "\n SERVICE <%s> { ?s ?p ?o } }',
    'SELECT * { BIND("\'" AS ?q) SERVICE <%s> { ?s ?p ?o } }',
    "CONSTRUCT { ?s ?p ?o } WHERE { SERVICE <%s> { ?s ?p ?o } }",
    "SELECT * { SERVICESILENT<%s> { ?s ?p ?o } }",
    "SELECT * { FILTER(1<'x>') SERVICE <%s> { ?s ?p ?o } FILTER('a'='a') }",
    "PREFIX : <%s> SELECT * { SERVICE: { ?s ?p ?o } }",
    "LOAD <%s>",
    "LOAD SILENT <%s> INTO GRAPH <urn:g>",
    "INSERT { ?s ?p ?o } WHERE { SERVICE <%s> { ?s ?p ?o } }",
]


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_query_reaches_another_server(server: Server, listener: Listener, way: str) -> None:
    text = way % listener.address
    with pytest.raises(sparql_guard.QueryRefused):
        sparql_guard.check(text)
    assert ask(server, text).status_code in (400, 403), "the server refuses it too"
    with pytest.raises(sparql_store.StoreUnavailable):
        try:
            server.store().update(text)
        except sparql_store.StoreRefused as error:
            raise sparql_store.StoreUnavailable from error
    assert listener.knocks == 0


@pytest.mark.parametrize(
    "way", ["SELECT * FROM <%s> { ?s ?p ?o }", "SELECT * FROM NAMED <%s> { GRAPH ?g { ?s ?p ?o } }"]
)
def test_from_names_a_graph_and_fetches_nothing(server: Server, listener: Listener, way: str) -> None:
    assert ask(server, way % listener.address).json()["results"]["bindings"] == []
    assert listener.knocks == 0


def test_were_the_checks_to_miss_it_the_child_could_open_no_socket(server: Server, listener: Listener) -> None:
    """The query goes to the child unchecked. It knocks where the kernel does not shut the child in, and only there."""
    folder = server.folder / "other"
    pyoxigraph.Store(str(folder)).flush()
    try:
        answer = _ask(WAYS_OUT[0] % listener.address, sparql_store.JSON, 20, 10, folder)
        failed = answer.body.decode()
    except SnapshotQueryFailed as error:
        failed = str(error)
    assert listener.knocks == 0, "this system has no seccomp; the checks of the text are all there is here"
    assert "ermission denied" in failed or "not permitted" in failed


def test_a_querys_process_stays_far_below_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a heap for each thread it takes between 450 MB and the whole gigabyte of address space, by chance."""
    pyoxigraph.Store(str(tmp_path)).flush()
    monkeypatch.setattr(snapshot_queries, "MEMORY", 320 << 20)
    answer = _ask("SELECT (1 AS ?n) {}", "text/csv", PATIENCE_S, 10, tmp_path)
    assert answer.body == b"n\r\n1\r\n"


def test_the_listener_notices_a_knock(listener: Listener) -> None:
    with pytest.raises(OSError, match=r"(?i)http|connection|response|closed|eof|reset"):
        list(pyoxigraph.Store().query(WAYS_OUT[0] % listener.address))  # type: ignore[arg-type]
    assert listener.knocks > 0


def test_a_late_request_of_an_earlier_projector_is_refused(server: Server) -> None:
    earlier, later, nobody = server.store(), server.store(), server.store()
    earlier.fence, later.fence = 5, 6
    earlier.update("INSERT DATA { <urn:s> <urn:p> 1 }")
    later.update("DELETE WHERE { ?s ?p ?o }")
    with pytest.raises(sparql_store.StoreUnavailable, match="later projector"):
        earlier.update("INSERT DATA { <urn:s> <urn:p> 1 }")
    nobody.update("INSERT DATA { <urn:s> <urn:p> 2 }")
    assert [row["o"]["value"] for row in server.store().select("SELECT ?o { ?s ?p ?o }")] == ["2"]


def test_a_kill_loses_nothing_that_was_answered() -> None:
    with serving() as server:
        insert(server, 50)
        server.end(signal.SIGKILL)
        server.start()
        assert len(server.store().select("SELECT * { ?s ?p ?o }")) == 50


def test_it_ends_in_order_and_leaves_no_socket() -> None:
    with serving() as server:
        insert(server, 5)
        assert server.end() == 0
        assert not server.socket.exists()


def test_a_killed_servers_child_ends_with_it() -> None:
    with serving(seconds=60) as server:
        insert(server, 400)
        slow = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"

        def send() -> None:
            with pytest.raises(httpx.HTTPError):
                ask(server, slow)

        thread = threading.Thread(target=send)
        thread.start()
        assert server.process is not None
        listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}").parent
        if not listed.exists():
            pytest.skip("needs /proc")
        children = wait_for(lambda: [pid for one in listed.iterdir() for pid in (one / "children").read_text().split()])
        server.end(signal.SIGKILL)
        thread.join()
        assert wait_for(lambda: not any(alive(pid) for pid in children))


def alive(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(true: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    until = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "knowledge.graphs.sparql_server.server",
        "--store",
        f"{tmp_path}/g",
        "--socket",
        "x.sock",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, env={"PATH": ""}, check=False)
    assert ended.returncode == 1 and "SPARQL_TOKEN" in ended.stderr


def test_snapshots_go_when_they_are_no_longer_read(server: Server) -> None:
    for number in range(3):
        insert(server, number + 1)
        ask(server, "ASK {}")
        time.sleep(1.6)
    assert len(list((server.folder / "graph-snapshots").iterdir())) == 1


def test_the_dump_is_everything_and_streams(server: Server) -> None:
    insert(server, 25)
    server.store().update("INSERT DATA { GRAPH <urn:g> { <urn:a> <urn:b> 'x'@en } }")
    quads = list(server.store().stream())
    assert len(quads) == 26
    assert '<urn:a> <urn:b> "x"@en <urn:g>' in {str(quad) for quad in quads}


def test_the_default_graph_is_no_union(server: Server) -> None:
    assert server.store().health()["default_graph_is_union"] is False
    server.store().update("INSERT DATA { GRAPH <urn:g> { <urn:a> <urn:b> 1 } }")
    assert not server.store().ask("ASK { <urn:a> <urn:b> 1 }")


GRAPH = '<urn:a> <urn:b> "x"@en .\n_:b <urn:c> <urn:a> .\n'


def test_whole_graphs_are_put_added_to_read_and_deleted(server: Server) -> None:
    turtle = {"Content-Type": "text/turtle"}
    with server.client() as client:
        assert client.get("/graph?graph=urn:g").status_code == 404
        assert client.put("/graph?graph=urn:g", content=GRAPH, headers=turtle).status_code == 201
        assert client.put("/graph?graph=urn:g", content="<urn:a> <urn:b> 1 .", headers=turtle).status_code == 204
        assert client.post("/graph?graph=urn:g", content=GRAPH, headers=turtle).status_code == 204
        marks = {"text/turtle": "<urn:a>", "application/ld+json": '"@id"', "application/rdf+xml": "rdf:RDF"}
        for kind, mark in marks.items():
            read = client.get("/graph?graph=urn:g", headers={"Accept": kind})
            assert read.headers["Content-Type"] == kind and mark in read.text
        whole = client.get("/graph?graph=urn:g").content
        assert len(list(pyoxigraph.parse(whole, format=pyoxigraph.RdfFormat.TURTLE))) == 3
        assert client.head("/graph?graph=urn:g").content == b""
        json_ld = '[{"@id": "urn:s", "urn:p": [{"@value": 1}]}]'
        linked = {"Content-Type": "application/ld+json"}
        assert client.post("/graph?default", content=json_ld, headers=linked).is_success
        assert "urn:s" in client.get("/graph?default").text and "urn:s" not in client.get("/graph?graph=urn:g").text
        assert client.delete("/graph?graph=urn:g").status_code == 204
        assert client.delete("/graph?graph=urn:g").status_code == 404
        assert "urn:s" in client.get("/graph?default").text


@pytest.mark.parametrize(
    ("address", "body", "kind", "status"),
    [
        ("/graph", "", "text/turtle", 400),
        ("/graph?graph=not an iri", "", "text/turtle", 400),
        ("/graph?graph=urn:g> { } }; DROP ALL; INSERT DATA { GRAPH <urn:x", "", "text/turtle", 400),
        ("/graph?graph=urn:g&default", "", "text/turtle", 400),
        ("/graph?graph=urn:g", "nonsense", "text/turtle", 400),
        ("/graph?graph=urn:g", "{}", "application/json", 415),
    ],
)
def test_what_is_no_graph_is_refused(server: Server, address: str, body: str, kind: str, status: int) -> None:
    insert(server, 1)
    with server.client() as client:
        answer = client.put(address.replace(" ", "%20"), content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert len(server.store().select("SELECT * { ?s ?p ?o }")) == 1


def test_whole_graphs_need_the_token(server: Server) -> None:
    with server.client("wrong") as client:
        assert client.put("/graph?graph=urn:g", content=GRAPH).status_code == 401
        assert client.delete("/graph?default").status_code == 401
