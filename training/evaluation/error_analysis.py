"""The errors in one example: each relation as annotated and as extracted, for people to examine.

Errors are distinguished by what a person would correct: a relation missed, spurious, labelled as another, or between
mentions of the wrong type, and mentions missed or spurious.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from extraction.labels import Inventory
from extraction.schema import Candidate, Example
from training.evaluation import metrics
from training.evaluation.bootstrap import interval
from training.evaluation.metrics import F1Score, Prediction
from training.scores import CONFUSED, INVENTED, MENTION, MISSED, NONE, RIGHT, TYPE, Compared, ExampleErrors

Span = tuple[int, int]
Ends = tuple[Span, Span]


def example_errors(example: Example, prediction: Prediction, names: Inventory, related: bool) -> ExampleErrors:
    """The errors in extracted mentions and relations. `related`: the data set has relations, and they are scored."""
    found = [(m.start, m.end, m.type, round(float(m.score), 4)) for m in prediction.mentions]
    errors = ExampleErrors(example, found)
    if related:
        _relations(errors, prediction, names)
    _mentions(errors, prediction, counts=not related)
    return errors


def _relations(errors: ExampleErrors, prediction: Prediction, names: Inventory) -> None:
    example, canonical = errors.example, metrics.canonical_by(names, directed=True)
    gold = {canonical(fact) for fact in metrics.facts_of(example.mentions, example.relations)}
    found = {canonical(fact): score for fact, score in metrics.settled_facts(example, prediction, canonical)}
    errors.right, errors.wrong, errors.gold = len(gold & found.keys()), len(found.keys() - gold), len(gold)
    scores = {(fact[0][:2], fact[1][:2], fact[2]): score for fact, score in found.items()}
    for ends in sorted({_ends(fact) for fact in {*gold, *found}}):
        annotated = {fact[2]: fact for fact in gold if _ends(fact) == ends}
        read = {fact[2]: fact for fact in found if _ends(fact) == ends}
        for key in sorted(annotated.keys() & read.keys()):
            kind = RIGHT if annotated[key] == read[key] else TYPE
            _add(errors, kind, ends, key, key, scores)
        only_gold, only_read = sorted(annotated.keys() - read.keys()), sorted(read.keys() - annotated.keys())
        both = min(len(only_gold), len(only_read))
        for one, other in zip(only_gold[:both], only_read[:both], strict=True):
            _add(errors, CONFUSED, ends, one, other, scores)
        for one in only_gold[both:]:
            _add(errors, MISSED, ends, one, "", scores)
        for other in only_read[both:]:
            _add(errors, INVENTED, ends, "", other, scores)


def _ends(fact: metrics.Fact) -> Ends:
    return fact[0][:2], fact[1][:2]


def _add(
    errors: ExampleErrors, kind: str, ends: Ends, gold: str, found: str, scores: Mapping[tuple[Span, Span, str], float]
) -> None:
    score = scores.get((*ends, found))
    errors.judged.append(
        {
            "kind": kind,
            "head": list(ends[0]),
            "tail": list(ends[1]),
            "gold": gold,
            "found": found,
            "score": None if score is None else round(float(score), 4),
        }
    )
    errors.confusion[gold or NONE, found or NONE] += 1


def _mentions(errors: ExampleErrors, prediction: Prediction, counts: bool) -> None:
    example = errors.example
    gold = {(m.start, m.end): m.type for m in metrics.known_mentions(example) if m.type}
    found = {
        (m.start, m.end): (m.type, round(float(m.score), 4))
        for m in prediction.mentions
        if metrics.settled_mention(example, m)
    }
    for span in sorted(gold.keys() | found.keys()):
        one, (other, score) = gold.get(span, ""), found.get(span, ("", None))
        if counts:
            errors.right += bool(one) and one == other
            errors.wrong += bool(other) and one != other
            errors.gold += bool(one)
            errors.confusion[one or NONE, other or NONE] += 1
        if one != other or counts:
            kind = RIGHT if one == other else MENTION
            errors.judged.append(
                {"kind": kind, "head": list(span), "tail": None, "gold": one, "found": other, "score": score}
            )


def pair_errors(example: Example, answers: Iterable[tuple[Candidate, str, float]]) -> ExampleErrors:
    """The errors in a pair system's answers for an example: (candidate, label or "", probability)."""
    errors = ExampleErrors(example, [(m.start, m.end, m.type, 1.0) for m in example.mentions])
    for candidate, found, score in answers:
        gold, head = candidate.key, example.mentions[candidate.head]
        tail = None if candidate.region else example.mentions[candidate.tail]
        errors.right += bool(gold) and gold == found
        errors.wrong += bool(found) and gold != found
        errors.gold += bool(gold)
        errors.confusion[gold or NONE, found or NONE] += 1
        if not gold and not found:
            continue
        kind = RIGHT if gold == found else CONFUSED if gold and found else MISSED if gold else INVENTED
        judged: Compared = {"kind": kind, "head": [head.start, head.end], "gold": gold, "found": found}
        judged |= {"tail": [tail.start, tail.end] if tail else None, "score": round(float(score), 4)}
        if candidate.region:
            judged["object"] = f"object {candidate.tail + 1}"
        errors.judged.append(judged)
    return errors


def counted(name: str, errors: Sequence[ExampleErrors]) -> dict[str, Any]:
    """The metric that counts, with its interval over resampled examples."""
    score = sum((F1Score(one.right, one.right + one.wrong, one.gold) for one in errors), F1Score())
    counts = np.array([(one.right, one.right + one.wrong, one.gold) for one in errors], np.int64)
    band = interval(counts, draws=1000)
    return {**metric(name, score), "interval": [band.low, band.high]}


def metric(name: str, score: F1Score) -> dict[str, Any]:
    """A score by its name, as plain JSON."""
    counts = {"right": score.right, "found": score.predicted, "gold": score.gold}
    return {"name": name, "precision": score.precision, "recall": score.recall, "f1": score.f1, **counts}
