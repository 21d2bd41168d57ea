"""How far two annotations of the same texts agree: mentions, entities by B-cubed, relations by pair of entities."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from extraction.datasets.annotation import AnnotatedMention, Annotation
from training.corpora.validation import canonical

_MEASURES = (
    ("mentions", "span and type of every mention"),
    ("names", "span and type of the mentions that are names"),
    ("entities", "B-cubed over the mentions"),
    ("relations", "relation between two entities"),
    ("assertions", "relation and factuality between two entities"),
    ("pairs", "two entities with any relation"),
)


@dataclass(slots=True)
class MeasureCounts:
    """How much of the first is in the second and vice versa; as counts, or as sums of shares."""

    first: float = 0
    second: float = 0
    first_found: float = 0
    second_found: float = 0

    def add(self, first: set[Hashable], second: set[Hashable]) -> None:
        common = len(first & second)
        self.first += len(first)
        self.second += len(second)
        self.first_found += common
        self.second_found += common

    @property
    def f1(self) -> float | None:
        """None where neither annotates any."""
        if not self.first and not self.second:
            return None
        precision = self.second_found / self.second if self.second else 0.0
        recall = self.first_found / self.first if self.first else 0.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(slots=True)
class CorpusAgreement:
    items: int = 0
    tallies: dict[str, MeasureCounts] = field(default_factory=lambda: {name: MeasureCounts() for name, _ in _MEASURES})

    def f1(self, name: str) -> float | None:
        return self.tallies[name].f1


def agreement(first: Sequence[Annotation], second: Sequence[Annotation]) -> CorpusAgreement:
    """The agreement over the items that both annotate, all together."""
    others = {annotation.id: annotation for annotation in second}
    result = CorpusAgreement()
    for annotation in first:
        if annotation.id in others:
            result.items += 1
            _compare(annotation, others[annotation.id], result.tallies)
    return result


def _compare(first: Annotation, second: Annotation, tallies: dict[str, MeasureCounts]) -> None:
    tallies["mentions"].add(_spans(first), _spans(second))
    tallies["names"].add(_spans(first, names_alone=True), _spans(second, names_alone=True))
    _b_cubed(first, second, tallies["entities"])
    matched = match_entities(first, second)
    for name in ("relations", "assertions", "pairs"):
        tallies[name].add(_facts(first, name, matched), _facts(second, name, None))


def _spans(annotation: Annotation, names_alone: bool = False) -> set[Hashable]:
    types = {entity.id: entity.type for entity in annotation.entities}
    selected = [m for m in annotation.mentions if m.form == "name" or not names_alone]
    return {(mention.start, mention.end, types[mention.entity]) for mention in selected}


def _clusters(annotation: Annotation) -> dict[tuple[int, int], set[tuple[int, int]]]:
    """Of each mention's span, the spans of its entity."""
    of_entity: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for mention in annotation.mentions:
        of_entity[mention.entity].add((mention.start, mention.end))
    return {(mention.start, mention.end): of_entity[mention.entity] for mention in annotation.mentions}


def _b_cubed(first: Annotation, second: Annotation, tally: MeasureCounts) -> None:
    """Of each mention, the share of its entity's mentions that the other has with it; nothing where it lacks it."""
    ours, theirs = _clusters(first), _clusters(second)
    tally.first += len(ours)
    tally.second += len(theirs)
    for span in ours.keys() & theirs.keys():
        common = len(ours[span] & theirs[span])
        tally.first_found += common / len(ours[span])
        tally.second_found += common / len(theirs[span])


def match_entities(first: Annotation, second: Annotation) -> dict[str, str]:
    """Entities of the first by the one of the second that stands for the same, one to one.

    The pair with the most mentions that overlap comes first; equal ones in the order of the text.
    """
    shared: Counter[tuple[str, str]] = Counter()
    for ours in sorted(first.mentions, key=_place):
        shared.update((ours.entity, theirs.entity) for theirs in second.mentions if _overlap(ours, theirs))
    matched: dict[str, str] = {}
    for (ours_id, theirs_id), _ in shared.most_common():
        if ours_id not in matched and theirs_id not in matched.values():
            matched[ours_id] = theirs_id
    return matched


def _place(mention: AnnotatedMention) -> tuple[int, int]:
    return mention.start, mention.end


def _overlap(one: AnnotatedMention, other: AnnotatedMention) -> bool:
    return one.start < other.end and other.start < one.end


def _facts(annotation: Annotation, name: str, matched: dict[str, str] | None) -> set[Hashable]:
    """The relations with their entities renamed to the other's; what has no counterpart keeps a name of its own."""
    facts: set[Hashable] = set()
    for relation in annotation.relations:
        ends = [annotation.mentions[index].entity for index in (relation.head, relation.tail)]
        head, tail = (end if matched is None else matched.get(end, f"\0{end}") for end in ends)
        fact = canonical(relation.relation, head, tail)
        if name == "pairs":
            facts.add(frozenset((head, tail)))
        else:
            facts.add((*fact, relation.factuality) if name == "assertions" else fact)
    return facts


def format_agreement(result: CorpusAgreement) -> str:
    lines = [f"{result.items} items that both annotate, F1 in per cent"]
    for name, about in _MEASURES:
        f1 = result.f1(name)
        lines.append(f"{name:12}{'none' if f1 is None else format(f1, '.1%'):>8}   {about}")
    return "\n".join(lines)
