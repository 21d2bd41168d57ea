"""Claims under leases, for whatever table: which rows, in which order, whose they are, and how a lease ends."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from extraction import leases
from extraction.models import Feed, PostImage, Reading
from tests import records
from training.models import Dataset

LEASE = timedelta(minutes=3)


def feeds(count: int, **values: object) -> list[Feed]:
    """Feeds that are due, the last one longest."""
    now = timezone.now()
    due = [now - timedelta(seconds=place) for place in range(count)]
    return [
        Feed.objects.create(url=f"https://f{place}.example/", due_at=due[place], **values) for place in range(count)
    ]


def claim(worker: str, limit: int = 10) -> list[Feed]:
    return leases.claim(Feed.objects.all(), limit, LEASE, worker)


@pytest.mark.django_db
def test_the_longest_due_are_leased_under_one_token() -> None:
    first, second, third = feeds(3)
    claimed = claim("a", 2)
    assert claimed == [third, second]
    assert {row.lease_token for row in claimed} == set(
        Feed.objects.exclude(pk=first.pk).values_list("lease_token", flat=True)
    )
    assert all(row.lease_token.startswith(leases.slot("a")) for row in claimed)
    assert Feed.objects.filter(pk=third.pk, lease_until=claimed[0].lease_until, lease_until__gt=timezone.now()).exists()


@pytest.mark.django_db
def test_what_is_held_or_not_due_is_nobodys_to_claim_until_the_lease_runs_out() -> None:
    late, _ = feeds(2)
    Feed.objects.filter(pk=late.pk).update(due_at=timezone.now() + timedelta(hours=1))
    assert len(claim("a")) == 1
    assert claim("b") == []
    Feed.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert [row.pk for row in claim("b")] == [late.pk + 1]


@pytest.mark.django_db
def test_changes_are_written_to_what_is_claimed_alone() -> None:
    feeds(3)
    claimed = leases.claim(Feed.objects.all(), 3, LEASE, "a", choose=lambda rows: rows[1:], attempts=F("attempts") + 1)
    assert len(claimed) == 2
    assert sorted(Feed.objects.values_list("attempts", "lease_token")) == sorted(
        [(0, ""), *[(1, claimed[0].lease_token)] * 2]
    )


@pytest.mark.django_db
def test_a_table_without_leases_is_claimed_by_putting_it_off() -> None:
    post = records.post("Ada Lovelace lived in London.")
    PostImage.objects.create(post=post, url="https://x.example/a.jpg", due_at=timezone.now())
    assert len(leases.claim(PostImage.objects.all(), 5, LEASE)) == 1
    assert leases.claim(PostImage.objects.all(), 5, LEASE) == []
    assert PostImage.objects.filter(due_at__gt=timezone.now() + LEASE / 2).exists()


@pytest.mark.django_db
def test_a_start_frees_what_the_slot_held_in_every_table() -> None:
    records.checkpoint()
    records.post("Ada Lovelace lived in London.")
    feeds(1)
    Dataset.objects.create(name="d", root="/d", due_at=timezone.now())
    for rows in (Feed.objects.all(), Reading.objects.all(), Dataset.objects.all()):
        assert len(leases.claim(rows, 1, LEASE, "host-1")) == 1
    assert leases.free("host-10") == 0, "another slot, though its name begins alike"
    assert leases.free("host-1") == 3
    for table in (Feed, Reading, Dataset):
        assert not table.objects.exclude(lease_token="", lease_until=None).exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rows_that_another_transaction_locks_are_passed_over() -> None:
    _, last = feeds(2)
    got: list[int] = []

    def other() -> None:
        try:
            got.extend(row.pk for row in claim("b", 1))
        finally:
            connection.close()

    with transaction.atomic():
        list(Feed.objects.select_for_update().filter(pk=last.pk))
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(timeout=60)
        assert not thread.is_alive(), "it waits for the lock"
    assert got == [last.pk - 1]
