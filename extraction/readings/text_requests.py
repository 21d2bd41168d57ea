"""Analyse texts from people without recording anything: queued by the web process, answered by readers, deleted later.

A text is claimed under a lease as a reading is, so a slow network never delays a page, and nothing is lost when a
worker dies. Readers take texts before posts: somebody waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from extraction import leases
from extraction.models import TextToRead
from extraction.reader import result_format
from extraction.readings import inputs
from extraction.schema import Document, Extraction

LONGEST = 50_000  # code points
MOST_WAITING = 20  # of one person
BATCH = 8
LEASE = timedelta(minutes=10)
GIVEN_UP_AT = 3
KEPT = timedelta(days=1)


class TooManyQueued(Exception):
    """The person has too many texts in the queue; the message is a sentence for them."""


class TextReader(Protocol):
    """The part of a Reader that is used here."""

    @property
    def name(self) -> str: ...

    def read(self, documents: Sequence[Document]) -> Sequence[Extraction]: ...


@dataclass(frozen=True, slots=True)
class ClaimedText:
    """A text that a worker holds under the lease `token`."""

    pk: int
    token: str
    document: Document


def enqueue(by: int, text: str, title: str = "") -> TextToRead:
    """Queue a text for the person with the id `by`. Raises TooManyQueued."""
    document = inputs.document("", text, " ".join(title.split()))
    with transaction.atomic():
        waiting = TextToRead.objects.filter(by=by, state=TextToRead.State.WAITING).count()
        if waiting >= MOST_WAITING:
            raise TooManyQueued(f"{waiting} of your texts are queued already. Fetch some results first.")
        return TextToRead.objects.create(
            by_id=by, text=document.text, title_end=document.title_end, due_at=timezone.now()
        )


def due() -> bool:
    return TextToRead.objects.filter(state=TextToRead.State.WAITING, due_at__lte=timezone.now()).exists()


def claim(worker: str, limit: int = BATCH) -> list[ClaimedText]:
    """The oldest queued texts, at most `limit`; one that a worker died of before is claimed alone."""
    now, waiting = timezone.now(), TextToRead.objects.filter(state=TextToRead.State.WAITING)
    with transaction.atomic():
        waiting.filter(leases.is_free(now), due_at__lte=now, attempts__gte=GIVEN_UP_AT).update(
            state=TextToRead.State.FAILED, error=f"The reader died {GIVEN_UP_AT} times while analysing this text."
        )
        rows = leases.claim(waiting, limit, LEASE, worker, choose=_alone, attempts=F("attempts") + 1)
    return [ClaimedText(row.pk, row.lease_token, Document(str(row.public_id), row.text, row.title_end)) for row in rows]


def _alone(rows: list[TextToRead]) -> list[TextToRead]:
    """The first text that a worker died of, alone; all texts where there is none."""
    return next(([row] for row in rows if row.attempts), rows)


def answer(reader: TextReader, held: list[ClaimedText], thresholds: Mapping[str, float]) -> None:
    """Analyse the claimed texts and store each answer. A text that fails keeps its error and is not retried."""
    for one in held:
        try:
            (extraction,) = reader.read([one.document])
        except Exception as error:
            _end(one, TextToRead.State.FAILED, error=f"The text could not be analysed: {type(error).__name__}: {error}")
            continue
        found = result_format.as_json(extraction, reader.name, thresholds)
        _end(one, TextToRead.State.DONE, answer=found)


def delete_old(now: datetime | None = None) -> int:
    """Delete texts and answers that are a day old; returns how many."""
    old = TextToRead.objects.filter(asked_at__lt=(now or timezone.now()) - KEPT)
    return old.delete()[0]


def _end(held: ClaimedText, state: str, **values: Any) -> None:
    still_ours = TextToRead.objects.filter(pk=held.pk, lease_token=held.token)
    still_ours.update(state=state, due_at=None, **leases.NO_LEASE, **values)
