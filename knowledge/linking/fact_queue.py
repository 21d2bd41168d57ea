"""Looks up the facts shown to readers, in the I/O worker, before a reader claims the reading.

A reading by a checkpoint whose network takes facts begins at the stage LINK. Here it gets the facts on the entities
that its post names, stored with the reading (`results["facts"]`), and moves on to READ; where nothing can be looked up
it moves on without, which its result reports. Uses the record and the local index alone, so no post waits for a
service.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import F
from django.utils import timezone

from extraction import leases
from extraction.models import Checkpoint, Reading
from extraction.schema import Fact
from knowledge.entities.names import name_key
from knowledge.linking import fact_candidates, linked_facts
from knowledge.linking.fact_candidates import NameInContext, Subject
from knowledge.models import EntityName
from knowledge.record import current

if TYPE_CHECKING:
    from knowledge.linking.linker import Linker
    from knowledge.sources.local_index import LocalIndex

logger = logging.getLogger(__name__)

BATCH = 16
CLAIMED_FOR = timedelta(minutes=2)  # far longer than a batch takes; a crash only delays


def prepare(local: tuple[Linker, LocalIndex] | None, limit: int = BATCH) -> int:
    """Store facts with readings that wait for them and queue these for the readers; how many. `local`: the linker over
    the local index; without it, only facts of the record are used."""
    waiting = Reading.objects.filter(stage=Reading.Stage.LINK).select_related("version")
    rows = leases.claim(waiting, limit, CLAIMED_FOR)
    for row in rows:
        try:
            facts = facts_of(row.version.text, local, recorded=True)
        except Exception:
            # A post that cannot be looked up is read all the same, and shows that facts were missing.
            logger.exception("No facts could be looked up for reading %s; it is read without", row.pk)
            results = row.results
        else:
            results = {**row.results, "facts": [asdict(fact) for fact in facts]}
        waiting.filter(pk=row.pk).update(stage=Reading.Stage.READ, results=results, due_at=timezone.now())
    return len(rows)


def facts_of(text: str, local: tuple[Linker, LocalIndex] | None, *, recorded: bool = False) -> tuple[Fact, ...]:
    """Facts on the entities that a text names. `recorded`: by the record's entities and their links too, first."""
    places = fact_candidates.windows(text)
    by_record = _recorded(places) if recorded else {}
    known = set(by_record)
    if local is not None:
        known |= local[1].called(places)
    subjects: dict[str, Subject] = {}
    unresolved = [
        one for one in fact_candidates.named(text, places, known) if not _add_recorded(one, by_record, subjects)
    ]
    if local is None:
        return fact_candidates.facts_about(subjects)
    for one, subject in zip(unresolved, _linked(unresolved, local[0]), strict=True):
        if subject is not None:
            subjects[one.name] = subject
    index = local[1]
    return fact_candidates.facts_about(
        subjects, lambda ids: {key: row.label for key, row in index.describe(list(ids)).items()}
    )


def versions_that_mention(entities: Collection[int], checkpoint: Checkpoint) -> set[int]:
    """The current versions of posts of which `checkpoint` made the current reading and which mention one of these."""
    here = current.mentions().filter(entity__in=list(entities), reading__checkpoint=checkpoint)
    found = here.filter(reading__version=F("reading__version__post__current_version"))
    return set(found.values_list("reading__version", flat=True))


def _recorded(keys: Collection[str]) -> dict[str, Subject]:
    """By name key, the record's linked entities with one of these names; none where several differ."""
    rows = EntityName.objects.filter(key__in=list(keys)).values_list("key", "entity", "entity__canonical")
    bearers: dict[str, set[int]] = {}
    for key, entity, canonical in rows:
        bearers.setdefault(key, set()).add(canonical or entity)
    links = linked_facts.links_of(current.members({pk for some in bearers.values() for pk in some})) if bearers else {}
    found: dict[str, Subject] = {}
    for key, some in bearers.items():
        linked = [links[pk] for pk in some if pk in links]
        if len({one.target for one in linked}) == 1:
            one = linked[0]
            found[key] = Subject(one.target, one.label, one.description, one.categories, one.facts)
    return found


def _add_recorded(one: NameInContext, by_record: Mapping[str, Subject], subjects: dict[str, Subject]) -> bool:
    subject = by_record.get(name_key(one.name))
    if subject is not None:
        subjects[one.name] = subject
    return subject is not None


def _linked(mentioned: Collection[NameInContext], linker: Linker) -> list[Subject | None]:
    from knowledge.linking.candidate_ranking import Question

    others = [one.name for one in mentioned]
    questions = [
        Question(one.name, "", one.around, tuple(name for name in others if name != one.name)) for one in mentioned
    ]
    found: list[Subject | None] = []
    for linked in linker.link(questions):
        best = linked.candidates[0].known if linked.chosen else None
        rows = tuple((one.property, one.value, one.label, one.source_property) for one in best.facts) if best else ()
        found.append(Subject(best.id, best.label, best.description, (), rows) if best else None)
    return found
