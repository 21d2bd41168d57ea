"""The bundled store is closed and reopened now and then, for its caches' memory: no client notices, nothing is lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pyoxigraph
import pytest

from knowledge.graphs.sparql_server import damaged_store, live_store
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


def largest(folder: Path) -> Path:
    return max(folder.glob("*.sst"), key=lambda path: path.stat().st_size)


def truncate(folder: Path) -> None:
    os.truncate(largest(folder), 100)


def delete(folder: Path) -> None:
    largest(folder).unlink()


def empty_manifest(folder: Path) -> None:
    for path in folder.glob("MANIFEST*"):
        os.truncate(path, 10)


def overwrite_current(folder: Path) -> None:
    (folder / "CURRENT").write_text("nothing")


def delete_current(folder: Path) -> None:
    (folder / "CURRENT").unlink()


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A closed store of 2,000 quads."""
    folder = tmp_path / "graph"
    store = pyoxigraph.Store(str(folder))
    node = pyoxigraph.NamedNode("x:p")
    store.extend(pyoxigraph.Quad(node, node, pyoxigraph.Literal(f"{n} " * 20)) for n in range(2000))
    store.flush()
    return folder


DAMAGES = (truncate, delete, empty_manifest, overwrite_current, delete_current)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_set_aside_and_begun_anew(
    whole: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(whole)
    graph = LiveStore(whole)
    with graph.reading() as store:
        assert len(store) == 0
    [aside] = graph.set_aside()
    assert aside.startswith("graph.damaged-") and list((whole.parent / aside).glob("*.sst"))
    assert "It was set aside" in capsys.readouterr().err
    _insert(graph, 1)
    graph.close()


def test_damage_that_is_found_while_it_is_open_is_mended_by_the_next_process(whole: Path) -> None:
    with largest(whole).open("r+b") as file:
        file.seek(500)
        file.write(bytes(4000))
    graph = LiveStore(whole)
    with pytest.raises(Refusal, match="begun anew"), graph.reading() as store:
        list(store)
    assert graph.broken.is_set(), "the process ends"
    del graph, store
    again = LiveStore(whole)
    assert len(again.set_aside()) == 1
    with again.reading() as store:
        assert len(store) == 0


def test_only_the_latest_damaged_store_is_kept(whole: Path) -> None:
    for year in (2024, 2025):
        (whole.parent / f"graph.damaged-{year}0101T000000Z").mkdir()
    truncate(whole)
    [aside] = LiveStore(whole).set_aside()
    assert aside > "graph.damaged-2025"


def test_a_store_that_another_process_holds_is_not_damaged(whole: Path) -> None:
    held = LiveStore(whole)
    with pytest.raises(OSError, match="lock"):
        LiveStore(whole)
    assert held.set_aside() == []


def test_other_errors_of_the_engine_are_not_damage() -> None:
    assert not damaged_store.is_damage(RuntimeError("IO error: No space left on device"))
    assert not damaged_store.is_damage(OSError("Corruption"))
