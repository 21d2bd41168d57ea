"""What went wrong in one example: each relation as annotated and as read, for people to look at.

Faults are told apart by what a person would mend: a relation missed, one invented, one read as another, one between
mentions of the wrong type, and mentions missed or invented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extraction.labels import Inventory
from extraction.schema import Candidate, Example
from training.evaluation import metrics
from training.evaluation.metrics import Prediction

NONE = "(none)"
RIGHT, MISSED, INVENTED, CONFUSED, TYPE, MENTION = "right", "missed", "invented", "confused", "type", "mention"
Span = tuple[int, int]
Ends = tuple[Span, Span]
Judged = dict[str, Any]


@dataclass
class Looked:
    """An example with its counts, its faults, and everything that a page shows of it."""

    example: Example
    found: Sequence[tuple[int, int, str, float]] = ()
    judged: list[Judged] = field(default_factory=list)
    right: int = 0
    wrong: int = 0
    gold: int = 0
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def faults(self) -> list[str]:
        return sorted({one["kind"] for one in self.judged} - {RIGHT})

    @property
    def labels(self) -> list[str]:
        return sorted({one[side] for one in self.judged for side in ("gold", "found") if one[side]})

    def content(self) -> dict[str, Any]:
        """Plain JSON for the page."""
        example = self.example
        return {
            "id": example.id,
            "words": list(example.words),
            "before": list(example.before),
            "gold": {"mentions": [[m.start, m.end, m.type] for m in example.mentions]},
            "found": {"mentions": [list(one) for one in self.found]},
            "judged": self.judged,
            "image": example.image,
            "regions": [[round(float(value), 4) for value in region.box] for region in example.regions],
            "facts": [f"{fact.subject} – {fact.property} – {fact.object}" for fact in example.facts],
        }


def look_at_reading(example: Example, prediction: Prediction, names: Inventory, related: bool) -> Looked:
    """Mentions and relations that a reader found. `related`: the data set has relations, and they are what counts."""
    found = [(m.start, m.end, m.type, round(float(m.score), 4)) for m in prediction.mentions]
    looked = Looked(example, found)
    if related:
        _relations(looked, prediction, names)
    _mentions(looked, prediction, counts=not related)
    return looked


def _relations(looked: Looked, prediction: Prediction, names: Inventory) -> None:
    example, canonical = looked.example, metrics.canonical_by(names, directed=True)
    gold = {canonical(fact) for fact in metrics.facts_of(example.mentions, example.relations)}
    found = {canonical(fact): score for fact, score in metrics.settled_facts(example, prediction, canonical)}
    looked.right, looked.wrong, looked.gold = len(gold & found.keys()), len(found.keys() - gold), len(gold)
    scores = {(fact[0][:2], fact[1][:2], fact[2]): score for fact, score in found.items()}
    for ends in sorted({_ends(fact) for fact in {*gold, *found}}):
        annotated = {fact[2]: fact for fact in gold if _ends(fact) == ends}
        read = {fact[2]: fact for fact in found if _ends(fact) == ends}
        for key in sorted(annotated.keys() & read.keys()):
            kind = RIGHT if annotated[key] == read[key] else TYPE
            _add(looked, kind, ends, key, key, scores)
        only_gold, only_read = sorted(annotated.keys() - read.keys()), sorted(read.keys() - annotated.keys())
        both = min(len(only_gold), len(only_read))
        for one, other in zip(only_gold[:both], only_read[:both], strict=True):
            _add(looked, CONFUSED, ends, one, other, scores)
        for one in only_gold[both:]:
            _add(looked, MISSED, ends, one, "", scores)
        for other in only_read[both:]:
            _add(looked, INVENTED, ends, "", other, scores)


def _ends(fact: metrics.Fact) -> Ends:
    return fact[0][:2], fact[1][:2]


def _add(
    looked: Looked, kind: str, ends: Ends, gold: str, found: str, scores: Mapping[tuple[Span, Span, str], float]
) -> None:
    score = scores.get((*ends, found))
    looked.judged.append(
        {
            "kind": kind,
            "head": list(ends[0]),
            "tail": list(ends[1]),
            "gold": gold,
            "found": found,
            "score": None if score is None else round(float(score), 4),
        }
    )
    looked.confusion[gold or NONE, found or NONE] += 1


def _mentions(looked: Looked, prediction: Prediction, counts: bool) -> None:
    example = looked.example
    gold = {(m.start, m.end): m.type for m in example.mentions if m.type}
    found = {
        (m.start, m.end): (m.type, round(float(m.score), 4))
        for m in prediction.mentions
        if metrics.settled_mention(example, m)
    }
    for span in sorted(gold.keys() | found.keys()):
        one, (other, score) = gold.get(span, ""), found.get(span, ("", None))
        if counts:
            looked.right += bool(one) and one == other
            looked.wrong += bool(other) and one != other
            looked.gold += bool(one)
            looked.confusion[one or NONE, other or NONE] += 1
        if one != other or counts:
            kind = RIGHT if one == other else MENTION
            looked.judged.append(
                {"kind": kind, "head": list(span), "tail": None, "gold": one, "found": other, "score": score}
            )


def look_at_pairs(example: Example, answers: Iterable[tuple[Candidate, str, float]]) -> Looked:
    """What a pair system says of an example's candidates: (candidate, label or "", probability)."""
    looked = Looked(example, [(m.start, m.end, m.type, 1.0) for m in example.mentions])
    for candidate, found, score in answers:
        gold, head = candidate.key, example.mentions[candidate.head]
        tail = None if candidate.region else example.mentions[candidate.tail]
        looked.right += bool(gold) and gold == found
        looked.wrong += bool(found) and gold != found
        looked.gold += bool(gold)
        looked.confusion[gold or NONE, found or NONE] += 1
        if not gold and not found:
            continue
        kind = RIGHT if gold == found else CONFUSED if gold and found else MISSED if gold else INVENTED
        judged: Judged = {"kind": kind, "head": [head.start, head.end], "gold": gold, "found": found}
        judged |= {"tail": [tail.start, tail.end] if tail else None, "score": round(float(score), 4)}
        if candidate.region:
            judged["object"] = f"object {candidate.tail + 1}"
        looked.judged.append(judged)
    return looked


def by_label(looked: Iterable[Looked]) -> list[tuple[str, int, int, int]]:
    """(label, right, found, gold), the most annotated first."""
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for one in looked:
        for (annotated, read), times in one.confusion.items():
            gold[annotated] += times
            found[read] += times
            right[annotated] += times * (annotated == read)
        for judged in one.judged:
            right[judged["gold"]] -= judged["kind"] == TYPE
    labels = {*gold, *found} - {NONE}
    return [(key, right[key], found[key], gold[key]) for key in sorted(labels, key=lambda key: (-gold[key], key))]
