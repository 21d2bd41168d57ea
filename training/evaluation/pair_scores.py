"""Scores and errors of given pairs, and the probability from which a pair counts as related.

Micro precision, recall and F1 without the label none, and accuracy with it, as the papers have them. F1 without the
label none is not at its best where a relation has to be the most probable label: one that is half as probable as none,
among twenty others, is still worth predicting. So the relation most probable among relations counts from a probability
chosen on dev, as a quintuple does. Every pair system is treated alike; `argmax_f1` and `argmax_accuracy` are those of
the most probable label.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from extraction.features.targets import pair_label
from extraction.schema import Candidate
from training.data.prepared import Prepared
from training.evaluation.error_analysis import counted, pair_errors
from training.evaluation.metrics import F1Score, micro, shares
from training.scores import Calibrated, Counts, Examined, ExampleErrors, Scores

NONE = "none"
STEPS = tuple(step / 20 for step in range(2, 17))  # 0.10 .. 0.80

Labels = NDArray[np.int64]


def decided(logits: NDArray[np.float32], threshold: float | None = None) -> Labels:
    """(pairs, labels), none at 0 -> each pair's label: its likeliest relation where that reaches the threshold, else
    none. Without one the most probable label."""
    if threshold is None or not logits.size:
        return logits.argmax(1).astype(np.int64)
    related = probabilities(logits)[:, 1:]
    return np.where(related.max(1) >= threshold, 1 + related.argmax(1), 0).astype(np.int64)


def best_pair_threshold(logits: NDArray[np.float32], gold: Labels) -> float | None:
    """The probability with the highest F1 on these pairs, the lowest of several; None where none finds anything."""
    scored = [(_pair_f1(decided(logits, threshold), gold), threshold) for threshold in STEPS]
    highest = max(score for score, _ in scored)
    return next(threshold for score, threshold in scored if score == highest) if highest else None


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The softmax of each row."""
    raised = np.exp(logits - logits.max(1, keepdims=True)) if logits.size else logits
    softmax: NDArray[np.float32] = raised / raised.sum(1, keepdims=True) if logits.size else logits
    return softmax


def _pair_f1(found: Labels, gold: Labels) -> float:
    right = int(((found == gold) & (gold > 0)).sum())
    return 2 * right / max(1, int((found > 0).sum()) + int((gold > 0).sum()))


def score_pairs(prepared: Prepared, logits: NDArray[np.float32], calibrated: Calibrated) -> Scores:
    """Each candidate's label against the data set's: its likeliest relation from the best threshold on, or the most
    probable label."""
    names = (NONE, *prepared.inventory.relation_keys)
    gold = gold_labels(prepared)
    found = decided(logits, calibrated.best)
    counts = _pair_counts(found, gold)
    right = counts[:, 0] > 0
    confidences = probabilities(logits)[np.arange(len(found)), found]
    items = [
        {"id": prepared.examples[item.example].id, "gold": names[a], "found": names[b], "score": round(float(c), 4)}
        for item, a, b, c in zip(prepared.items, gold.tolist(), found.tolist(), confidences.tolist(), strict=True)
    ]
    pairs = Counter(zip(gold.tolist(), found.tolist(), strict=True))
    confusion: dict[str, dict[str, int]] = {}
    for (one, other), times in sorted(pairs.items()):
        confusion.setdefault(names[one], {})[names[other]] = times
    by_relation = {
        name: shares(
            F1Score(int((right & (gold == place)).sum()), int((found == place).sum()), int((gold == place).sum()))
        )
        for place, name in enumerate(names)
        if place and ((gold == place) | (found == place)).any()
    }
    figures = {**micro(counts), "accuracy": _accuracy(found, gold)}
    if calibrated.best is not None:
        likeliest = decided(logits)
        figures["argmax_f1"] = micro(_pair_counts(likeliest, gold))["f1"]
        figures["argmax_accuracy"] = _accuracy(likeliest, gold)
    return Scores(figures, counts, by_relation, confusion, items)


def gold_labels(prepared: Prepared) -> Labels:
    """The label of each candidate, none being 0."""
    return np.array([pair_label(prepared.inventory, item.candidate) for item in prepared.items], np.int64)


def _pair_counts(found: Labels, gold: Labels) -> Counts:
    right = (gold == found) & (gold > 0)
    return np.stack([right, found > 0, gold > 0], axis=1).astype(np.int64)


def _accuracy(found: Labels, gold: Labels) -> float:
    return float((gold == found).mean()) if len(gold) else 0.0


def examine_pairs(prepared: Prepared, logits: NDArray[np.float32], calibrated: Calibrated) -> Examined:
    """The errors of every example's pairs."""
    best, gold = calibrated.best, gold_labels(prepared)
    errors = _pair_errors(prepared, logits, best)
    figures, note = [counted("relations", errors)], ""
    if best is not None:
        note = f"A pair counts as related from a probability of {best:g}, which was best on dev."
        likeliest = counted("relations, most probable label", _pair_errors(prepared, logits, None))
        figures.append({**likeliest, "accuracy": _accuracy(decided(logits), gold)})
    return Examined(figures, errors, _accuracy(decided(logits, best), gold), note)


def _pair_errors(prepared: Prepared, logits: NDArray[np.float32], threshold: float | None) -> list[ExampleErrors]:
    """The errors of every example, where a pair counts as related from the probability `threshold`."""
    labels = decided(logits, threshold)
    confidences = probabilities(logits)[np.arange(len(labels)), labels]
    names = ("", *prepared.inventory.relation_keys)
    answers: dict[int, list[tuple[Candidate, str, float]]] = {}
    for item, label, score in zip(prepared.items, labels.tolist(), confidences.tolist(), strict=True):
        assert item.candidate is not None
        answers.setdefault(item.example, []).append((item.candidate, names[label], score))
    return [pair_errors(prepared.examples[place], given) for place, given in sorted(answers.items())]
