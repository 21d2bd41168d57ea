"""The bundled store is closed and reopened now and then, for its caches' memory: no client notices, nothing is lost."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from knowledge.graphs.sparql_server import live_store
from knowledge.graphs.sparql_server.live_store import LiveStore, Refusal
from knowledge.graphs.sparql_server.snapshot_queries import Snapshots


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveStore:
    """One that is flushed with each update and reopened with each second one."""
    monkeypatch.setattr(live_store, "FLUSH_AFTER", 1)
    monkeypatch.setattr(live_store, "REOPEN_AFTER", 2)
    return LiveStore(tmp_path / "store")


def _insert(graph: LiveStore, number: int) -> None:
    graph.update(f"INSERT DATA {{ <x:{number}> <x:is> {number} }}")


def test_it_is_reopened_and_holds_everything(graph: LiveStore) -> None:
    _insert(graph, 1)
    assert graph._since_opened == 1
    _insert(graph, 2)
    assert graph._since_opened == 0, "it was not reopened"
    with graph.reading() as store:
        assert len(store) == 2


def test_one_that_is_read_stays_open_until_the_next_time(graph: LiveStore) -> None:
    with graph.reading() as store:
        quads = store.quads_for_pattern(None, None, None, None)
        for number in range(4):
            _insert(graph, number)
        assert graph._since_opened == 4, "it was reopened under a reader"
        assert list(quads) == []  # as it stood when the question was asked
    del store, quads
    _insert(graph, 4)
    assert graph._since_opened == 0
    with graph.reading() as store:
        assert len(store) == 5


def test_readers_writers_and_snapshots_at_once(graph: LiveStore, tmp_path: Path) -> None:
    snapshots = Snapshots(graph.reading, tmp_path / "snapshots")
    graph.on_write = snapshots.changed
    done, wrong = threading.Event(), list[BaseException]()

    def read() -> None:
        try:
            while not done.is_set():
                with graph.reading() as store:
                    counted = next(iter(store.query("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")))  # type: ignore[arg-type]
                    assert int(counted["n"].value) <= 60
                with snapshots.use() as folder:
                    assert folder.is_dir()
        except BaseException as error:
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(60):
        _insert(graph, number)
    done.set()
    for reader in readers:
        reader.join(30)
    assert not wrong and not graph.broken.is_set()
    with graph.reading() as store:
        assert len(store) == 60


def test_it_is_flushed_before_its_time_when_its_memory_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live_store.resident() > 0
    held = [1 << 20]
    monkeypatch.setattr(live_store, "resident", lambda: held[0])
    graph = LiveStore(tmp_path / "store")
    _insert(graph, 1)
    assert graph._unflushed == 1
    held[0] += live_store.FLUSH_GROWN + 1
    _insert(graph, 2)
    assert graph._unflushed == 0
    _insert(graph, 3)  # it counts from what was left after the flush
    assert graph._unflushed == 1


def test_a_store_that_cannot_be_opened_again_ends_the_server(
    graph: LiveStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _insert(graph, 1)

    def full(_: str) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(live_store.pyoxigraph, "Store", full)
        with pytest.raises(Refusal, match="No space left"):
            _insert(graph, 2)
    assert graph.broken.is_set()
    with pytest.raises(Refusal, match="being reopened"), graph.reading():
        pass
    with LiveStore(tmp_path / "store").reading() as store:
        assert len(store) == 2  # the update whose sender was refused is there: it is sent again, and changes nothing
