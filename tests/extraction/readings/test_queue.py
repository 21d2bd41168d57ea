"""Claims on readings: who gets which, what becomes of them, and two who claim at the same time."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from extraction import leases
from extraction.models import Reading
from extraction.readings import queue as readings_queue
from extraction.readings import reading_requests
from tests import records


def due(count: int) -> None:
    for number in range(count):
        records.post(f"Post number {number}.")


@pytest.mark.django_db
def test_the_oldest_due_are_claimed_once() -> None:
    records.checkpoint()
    due(3)
    oldest = Reading.objects.order_by("due_at")[:2]
    wanted = [row.pk for row in oldest]
    first = readings_queue.claim("a", 2)
    assert [claimed.reading_id for claimed in first] == wanted
    assert first[0].document.text == "Post number 0."
    assert len(readings_queue.claim("b", 5)) == 1
    assert readings_queue.claim("c", 5) == []


@pytest.mark.django_db
def test_a_lease_that_ran_out_is_claimed_again_and_its_holder_can_no_longer_renew() -> None:
    records.checkpoint()
    due(1)
    [first] = readings_queue.claim("a", 1)
    Reading.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    [second] = readings_queue.claim("b", 1)
    assert (second.reading_id, second.attempts) == (first.reading_id, 2)
    [held_until] = Reading.objects.values_list("lease_until", flat=True)
    readings_queue.renew([first])
    assert Reading.objects.filter(lease_until=held_until).exists()
    readings_queue.renew([second])
    assert Reading.objects.filter(lease_until__gt=held_until).exists()


@pytest.mark.django_db
def test_what_is_handed_back_is_due_as_before() -> None:
    records.checkpoint()
    due(1)
    for _ in range(9):
        readings_queue.release(readings_queue.claim("a", 1))
    row = Reading.objects.get()
    assert (row.attempts, row.lease_token, row.lease_until) == (0, "", None)


@pytest.mark.django_db
def test_a_reading_that_was_claimed_twice_is_claimed_alone() -> None:
    records.checkpoint()
    due(3)
    for _ in range(2):
        assert len(readings_queue.claim("a", 3)) == 3
        assert leases.free("a") == 3
    assert [len(readings_queue.claim("a", 3)) for _ in range(4)] == [1, 1, 1, 0]


@pytest.mark.django_db
def test_three_deaths_alone_fail_a_reading_and_a_retry_starts_afresh() -> None:
    records.checkpoint()
    due(1)
    for _ in range(readings_queue.GIVEN_UP_AT):
        assert len(readings_queue.claim("a", 1)) == 1
        leases.free("a")
    assert readings_queue.claim("a", 1) == []
    row = Reading.objects.get()
    assert row.stage == Reading.Stage.FAILED and "died 3 times" in row.error
    assert reading_requests.retry(Reading.objects.all()) == 1
    assert [claimed.attempts for claimed in readings_queue.claim("a", 1)] == [1]


@pytest.mark.django_db
def test_an_error_is_kept_and_ends_in_failure_only_alone() -> None:
    records.checkpoint()
    due(1)
    for attempt in range(1, readings_queue.GIVEN_UP_AT + 1):
        Reading.objects.update(due_at=timezone.now())
        [claimed] = readings_queue.claim("a", 1)
        readings_queue.fail(claimed, ValueError("bad page"))
        row = Reading.objects.get()
        assert row.error == "ValueError: bad page" and row.lease_token == ""
        assert (row.stage == Reading.Stage.FAILED) == (attempt == readings_queue.GIVEN_UP_AT)


@pytest.mark.django_db
def test_one_worker_frees_only_its_own_slot() -> None:
    records.checkpoint()
    due(2)
    readings_queue.claim("reader@host-1", 1)
    readings_queue.claim("reader@host-10", 1)
    assert leases.free("reader@host-1") == 1


@pytest.mark.django_db
def test_only_the_requested_checkpoint() -> None:
    first = records.checkpoint("first")
    due(1)
    other = records.checkpoint("second", active=False)
    assert readings_queue.claim("a", 5, checkpoint=other) == []
    assert len(readings_queue.claim("a", 5, checkpoint=first)) == 1


@pytest.mark.django_db
def test_a_live_post_without_a_reading_gets_one_in_chunks() -> None:
    records.checkpoint()
    due(5)
    second = records.checkpoint("second", active=False)
    assert reading_requests.request_missing(second, chunk=2) == 5
    assert reading_requests.request_missing(second, chunk=2) == 0


def both_claim(batch: int) -> list[list[int]]:
    """Two threads with connections of their own claim in turns as fast as they can; what each got."""
    got: list[list[int]] = [[], []]
    errors: list[BaseException] = []
    start = threading.Barrier(2)

    def work(slot: int) -> None:
        try:
            start.wait()
            while claims := readings_queue.claim(f"worker-{slot}", batch):
                got[slot] += [claimed.reading_id for claimed in claims]
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    return got


def no_reading_is_claimed_twice() -> None:
    records.checkpoint()
    due(60)
    one, other = both_claim(3)
    assert sorted(one + other) == sorted(Reading.objects.values_list("pk", flat=True))


@pytest.mark.django_db(transaction=True)
def test_two_claimers_at_once() -> None:
    no_reading_is_claimed_twice()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_claimers_at_once_on_postgresql_do_not_wait_for_each_other() -> None:
    """A row that another claimer has locked is passed over, not waited for."""
    from django.db import transaction

    records.checkpoint()
    due(4)
    got: list[int] = []

    def work() -> None:
        got.extend(claimed.reading_id for claimed in readings_queue.claim("b", 2))
        connection.close()

    with transaction.atomic():
        mine = [claimed.reading_id for claimed in readings_queue.claim("a", 2)]
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(mine) == len(got) == 2 and not set(mine) & set(got)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_claims_on_postgresql() -> None:
    no_reading_is_claimed_twice()
