"""The read queue: a batch is recorded post by post, and an error of one does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.db import OperationalError
from django.utils import timezone

from extraction import tasks
from extraction.models import Feed, Post, Reading
from extraction.posts.visits import Visit
from extraction.readings import queue as readings_queue
from extraction.schema import Declined, Document, ExtractedMention, Extraction
from knowledge.graphs import projector
from knowledge.models import Assertion, ProjectorLock
from tests import deterministic, records

pytestmark = pytest.mark.django_db


class Reader:
    """The deterministic extractor, with a text of each kind that makes trouble."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def read(self, documents: Sequence[Document]) -> list[Extraction]:
        self.batches.append(len(documents))
        if any("the disk is full" in document.text for document in documents):
            raise OSError("No space left on device")
        return [self._read(document) for document in documents]

    def _read(self, document: Document) -> Extraction:
        if "makes the network fail" in document.text:
            return Extraction(document.id, document.text, declined=Declined("failed", "IndexError: 7"))
        if "is not sound" in document.text:
            return Extraction(document.id, document.text, mentions=(ExtractedMention(5, 10**6, "person"),))
        return deterministic.Extractor().read([document])[0]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: object) -> Iterator[Reader]:
    settings.DATA_DIR = tmp_path  # type: ignore[attr-defined]
    made = Reader()
    monkeypatch.setattr(tasks, "_reader", lambda path, digest: made)
    rung.clear()
    monkeypatch.setattr(tasks, "ring", rung.append)
    monkeypatch.setattr(tasks, "ring_projectors", lambda: rung.append("every projector"))
    records.checkpoint()
    yield made
    assert list((tmp_path / "run").glob("*.lease")) == []


rung: list[str] = []


def test_a_batch_is_read_recorded_and_the_lane_rung_again(reader: Reader) -> None:
    for number in range(3):
        records.post(f"Ada Lovelace met Charles Babbage in London, {number} of 3.")
    tasks.read.apply()
    assert reader.batches == [3]
    assert Post.objects.filter(current_reading__stage=Reading.Stage.DONE).count() == 3
    assert Assertion.objects.count() == 6
    assert rung == ["every projector", "read"]


def test_nothing_due_rings_nothing(reader: Reader) -> None:
    tasks.read.apply()
    assert (reader.batches, rung) == ([], [])


def test_a_post_that_cannot_be_read_keeps_its_error_and_holds_up_no_other(reader: Reader) -> None:
    bad = records.post("Anna Bell makes the network fail.")
    records.post("Ada Lovelace met Charles Babbage in London.")
    for _ in range(readings_queue.GIVEN_UP_AT + 1):
        tasks.read.apply()
        Reading.objects.filter(stage=Reading.Stage.READ).update(due_at="2026-01-01T00:00:00Z")
    assert Post.objects.filter(current_reading__isnull=False).count() == 1
    failed = Reading.objects.get(version__post=bad)
    assert failed.stage == Reading.Stage.FAILED
    assert "IndexError: 7" in failed.error
    # From the third claim on it was read alone.
    assert reader.batches == [2, 1, 1, 1, 1]


def test_a_reading_that_cannot_be_recorded_fails_at_once(reader: Reader) -> None:
    """Another attempt would give the same, and the post would look queued meanwhile."""
    bad = records.post("What Anna Bell says is not sound.")
    records.post("Ada Lovelace met Charles Babbage in London.")
    tasks.read.apply()
    failed = Reading.objects.get(version__post=bad)
    assert failed.stage == Reading.Stage.FAILED and "could not be recorded" in failed.error
    assert Post.objects.filter(current_reading__isnull=False).count() == 1


def test_what_is_no_posts_fault_costs_no_post_an_attempt(reader: Reader) -> None:
    records.post("Ada Lovelace wrote while the disk is full.")
    result = tasks.read.apply()
    assert isinstance(result.result, OSError)
    held = Reading.objects.get()
    assert (held.stage, held.attempts, held.lease_token) == (Reading.Stage.READ, 0, "")


def test_a_worker_that_dies_while_it_loads_costs_no_post_an_attempt(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(path: str, digest: str) -> Reader:
        raise SystemExit(9)

    records.post("Ada Lovelace met Charles Babbage in London.")
    monkeypatch.setattr(tasks, "_reader", dies)
    with pytest.raises(SystemExit):
        tasks.read.apply()
    assert Reading.objects.get().attempts == 0


def test_without_a_deployed_checkpoint_nothing_is_claimed(reader: Reader) -> None:
    from extraction.models import Deployment

    records.post("Ada Lovelace met Charles Babbage in London.")
    Deployment.objects.all().delete()
    tasks.read.apply()
    assert reader.batches == []
    assert Reading.objects.get().attempts == 0


def test_a_lane_that_has_its_share_of_threads_drops_the_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    claimed: list[int] = []
    monkeypatch.setattr(tasks.visits, "claim", lambda *args: claimed.append(1))
    held = [tasks._visits.acquire(blocking=False) for _ in range(4)]
    try:
        tasks.fetch.apply()
    finally:
        for _ in held:
            tasks._visits.release()
    assert held == [True] * 4
    assert claimed == []


def test_a_full_claim_rings_for_another_thread_before_its_visits(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(tasks.visits, "claim", lambda limit, worker: ["claimed"] * limit)
    monkeypatch.setattr(tasks.visits, "visit_all", lambda claims, mark, alive: order.append("visits"))
    monkeypatch.setattr(tasks, "ring", order.append)
    monkeypatch.setattr(tasks, "ring_projectors", lambda: order.append("every projector"))
    tasks.fetch.apply()
    assert order == ["fetch", "visits", "read", "every projector", "fetch"]


@pytest.mark.parametrize("module_name", ["polling", "visits"])
def test_each_feed_and_page_has_the_time_of_a_lease_to_itself(
    module_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One publisher that takes as long as it may must not use up what the others of its batch need."""
    module = getattr(tasks, module_name)
    left: list[float] = []

    def slowly(*args: object) -> None:
        path = next(tmp_path.glob("*.lease"))
        left.append(float(path.read_text()) - time.monotonic())
        path.write_text("0")  # the time is used up

    monkeypatch.setattr(tasks, "run_folder", lambda: tmp_path)
    monkeypatch.setattr(module, "_poll" if module_name == "polling" else "_visited", slowly)
    with tasks._busy("io", tasks.IO_LEASE_SECONDS) as alive:
        if module_name == "polling":
            tasks.polling.poll_all([Feed(pk=1), Feed(pk=2)], print, alive)
        else:
            tasks.visits.visit_all([Visit(1, "", None), Visit(2, "", None)], print, alive)
    assert len(left) == 2 and all(seconds > tasks.IO_LEASE_SECONDS / 2 for seconds in left)


def test_a_projector_that_was_killed_blocks_its_successor_for_a_moment_only_and_no_other_worker() -> None:
    with projector._holding("rdf", "io@here") as token:
        assert token
        held = ProjectorLock.objects.get()
        projector.free("io@elsewhere")
        assert ProjectorLock.objects.get().until == held.until
        projector.free("io@here")
        left = ProjectorLock.objects.get()
        assert left.token == held.token, "what it had sent may still land"
        assert left.until is not None and held.until is not None
        assert timezone.now() < left.until <= timezone.now() + projector.LANDS_WITHIN < held.until


def test_what_happens_at_a_workers_start_happens_once_whatever_its_threads_do() -> None:
    from concurrent.futures import ThreadPoolExecutor
    from time import sleep

    from kgbuilder.supervision.watchdog import AtStart

    done: list[str] = []

    def slowly(worker: str) -> None:
        sleep(0.05)
        done.append(worker)

    start = AtStart(slowly)

    def thread(number: int) -> list[str]:
        start("io")
        return list(done)

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(thread, range(8)))
    assert seen == [["io"]] * 8


def test_readings_that_could_not_be_handed_back_are_by_the_next_run(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.post("Ada Lovelace met Charles Babbage in London: the disk is full.")

    def away(claims: object) -> None:
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as patched:
        patched.setattr(readings_queue, "release", away)
        tasks.read.apply()
    assert Reading.objects.get().lease_token
    records.post("Marie Curie lived in Paris.")
    tasks.read.apply()
    assert reader.batches == [1, 2] and not Reading.objects.exclude(lease_token="").exists()
    assert tasks._unreleased == []
