"""Selects the facts shown to a reader: a small graph of facts on the likely names of a post's headline and text.

Names are runs of capitalised words that are exactly the name of an entity, in the record or in the local index; the
linker decides between several bearers. No service is asked over the network: what services answered on an entity is
stored in its link. No Django here; `fact_queue` passes in what it looks up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from extraction.labels import RELATIONS
from extraction.schema import Fact
from knowledge.entities import names
from knowledge.sources.protocol import WIKIDATA, source_of

MOST_NAMES = 60  # of a post that are looked up, in the text's order
MOST_SUBJECTS = 10  # entities of a post that facts are given of
MOST_EACH, MOST = 8, 60  # facts of one, facts of a post
CATEGORIES = 2
LONGEST = 4  # words of a name
LONGEST_TEXT = 120  # code points of a description
READ_FROM = 4000  # code points of a text in which names are searched
AROUND = 200
_WORD = re.compile(r"[^\W\d_](?:[\w'’.-]*\w)?")
_ITEM = re.compile(r"Q[1-9][0-9]*")
_LABELS = {one.property: (key, one.label) for key, one in RELATIONS.items() if one.property and one.match == "exact"}

Row = tuple[str, str, str, str]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Subject:
    """An entity that the post names: Wikidata's id, its label there and its facts: property, value, name of the value,
    and the property of another source than Wikidata. `source`: the source of description and categories."""

    target: str
    label: str
    description: str = ""
    categories: tuple[str, ...] = ()
    facts: tuple[Row, ...] = ()
    source: str = WIKIDATA


@dataclass(frozen=True, slots=True)
class NameInContext:
    """A name of the post and the words around it, by which its bearers are distinguished."""

    name: str
    around: str


def windows(text: str) -> dict[str, list[Span]]:
    """The places of runs of at most LONGEST capitalised words, by `names.name_key`; for the first MOST_NAMES runs."""
    found: dict[str, list[Span]] = {}
    for run in list(_runs(text[:READ_FROM]))[:MOST_NAMES]:
        for first in range(len(run)):
            for last in range(first, min(first + LONGEST, len(run))):
                span = (run[first][0], run[last][1])
                found.setdefault(names.name_key(text[slice(*span)]), []).append(span)
    return found


def named(text: str, places: Mapping[str, Sequence[Span]], known: Collection[str]) -> list[NameInContext]:
    """The names among these that are known: the longest where several begin at one word, none within another."""
    spans = sorted((span for key in known for span in places.get(key, ())), key=lambda span: (span[0], -span[1]))
    covered, found = 0, dict[str, NameInContext]()
    for start, end in spans:
        if start >= covered:
            name = text[start:end]
            found.setdefault(names.name_key(name), NameInContext(name, text[max(0, start - AROUND) : end + AROUND]))
            covered = end
    return list(found.values())[:MOST_SUBJECTS]


def facts_about(
    subjects_by_name: Mapping[str, Subject], called: Callable[[Collection[str]], Mapping[str, str]] = lambda ids: {}
) -> tuple[Fact, ...]:
    """The facts of these subjects, by the names that the post calls them, one of each by turns. `called` gives names of
    entities by their ids, for values that came without."""
    subjects = {subject.target: (name, subject) for name, subject in reversed(list(subjects_by_name.items()))}
    ordered = [subjects[target] for target in dict.fromkeys(subject.target for subject in subjects_by_name.values())]
    missing = {
        value for _, one in ordered for p, value, label, _ in one.facts if p in _LABELS and _nameless(value, label)
    }
    labels = {**called(missing), **{target: subject.label for target, (_, subject) in subjects.items()}}
    columns = [list(_facts(name, subject, labels, subjects.keys()))[:MOST_EACH] for name, subject in ordered]
    rows = [fact for row in zip_longest(*columns) for fact in row if fact is not None]
    return tuple(rows[:MOST])


def _facts(name: str, subject: Subject, labels: Mapping[str, str], here: Collection[str]) -> Iterator[Fact]:
    """Facts on other entities of the post first, then description and categories, then the rest."""
    # By the post's own name where the source's label lacks it: a network finds a mention's nodes by its words.
    own = subject.label if set(_key(name)) <= set(_key(subject.label)) else name
    ordered = sorted(subject.facts, key=lambda fact: fact[1] not in here)
    near = [fact for fact in ordered if fact[1] in here]
    yield from _rows_as_facts(own, name, near, labels)
    if subject.description:
        yield Fact(own, "is", subject.description[:LONGEST_TEXT], subject.source, name=name)
    for category in subject.categories[:CATEGORIES]:
        yield Fact(own, "category", category[:LONGEST_TEXT], subject.source, name=name)
    yield from _rows_as_facts(own, name, ordered[len(near) :], labels)


def _rows_as_facts(own: str, called: str, rows: Sequence[Row], labels: Mapping[str, str]) -> Iterator[Fact]:
    """`own`: the subject's label; `called`: its name in the post."""
    for name, value, label, source_property in rows:
        shown = label or labels.get(value, "")
        if not shown and not _ITEM.fullmatch(value):
            shown = value.removesuffix("T00:00:00Z")
        if name in _LABELS and shown:
            relation, words = _LABELS[name]
            yield Fact(own, words, shown[:LONGEST_TEXT], source_of(source_property), relation, called)


def _nameless(value: str, label: str) -> bool:
    return not label and bool(_ITEM.fullmatch(value))


def _key(name: str) -> list[str]:
    return names.name_key(name).split()


def _runs(text: str) -> Iterator[list[Span]]:
    """Capitalised words that follow each other with one blank or hyphen between."""
    run: list[Span] = []
    for word in _WORD.finditer(text):
        if run and (not word[0][0].isupper() or text[run[-1][1] : word.start()] not in (" ", "-")):
            yield run
            run = []
        if word[0][0].isupper():
            run.append(word.span())
    if run:
        yield run
