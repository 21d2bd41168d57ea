"""How right a network is on held-out examples: the figures of its head, and right, found and gold of every item.

The papers' measures. Pairs: micro precision, recall and F1 without the label none, and accuracy with it; where a pair
counts as related from a probability chosen on dev, `argmax_f1` and `argmax_accuracy` are those of its most probable
label. Tags: mentions with exact span and type. Word pairs: quintuples (both spans, both types, relation) with and
without direction, and the mentions; `mentions_of_quintuples` counts only mentions that stand in a quintuple, as JMERE's
authors do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.labels import Inventory
from extraction.reader.calibration import Calibration
from extraction.schema import Example
from training.data.preparation import Prepared, label_of
from training.evaluation.decision_threshold import Labels, decided, probabilities
from training.evaluation.metrics import Prediction, Score, mention_score, relation_score, relation_scores
from training.evaluation.predictions import pair_logits, read, tagged
from training.evaluation.word_pair_grid import ScoredSpan
from training.evaluation.word_pair_predictions import Reader

NONE = "none"
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Judgement:
    """`figures`: named shares 0..1, "f1" the one that counts. `counts` (items, 3): right, found and gold of each item.

    `by_relation`: precision, recall, F1 and gold of each label. `confusion`: gold label -> found label -> how often.
    `told`: what is known of each item, for looking at errors.
    """

    figures: dict[str, float]
    counts: Counts
    by_relation: dict[str, dict[str, float]] = field(default_factory=dict)
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All but the items, as plain JSON."""
        return {"figures": self.figures, "by_relation": self.by_relation, "confusion": self.confusion}


def judge(
    network: Any,
    prepared: Prepared,
    calibration: Calibration | None = None,
    thresholds: dict[str, float] | None = None,
) -> Judgement:
    """Runs the network over the prepared items and scores it as its head is scored."""
    head = prepared.head
    if head in ("pair", "region_pair"):
        return judge_pairs(prepared, pair_logits(network, prepared), (thresholds or {}).get("default"))
    found = tagged(network, prepared) if head == "tags" else read(network, prepared)
    reader = Reader(prepared.inventory, calibration or Calibration(), thresholds or {"default": 0.5})
    return judge_reading(prepared.examples, reader.predictions(found), prepared.inventory, related=head != "tags")


def judge_pairs(prepared: Prepared, logits: NDArray[np.float32], least: float | None = None) -> Judgement:
    """Each candidate's label against the data set's: its likeliest relation from the probability `least`, or the most
    probable label."""
    names = (NONE, *prepared.inventory.relation_keys)
    gold = gold_labels(prepared)
    found = decided(logits, least)
    counts = _pair_counts(found, gold)
    right = counts[:, 0] > 0
    sure = probabilities(logits)[np.arange(len(found)), found]
    told = [
        {"id": prepared.examples[item.example].id, "gold": names[a], "found": names[b], "score": round(float(c), 4)}
        for item, a, b, c in zip(prepared.items, gold.tolist(), found.tolist(), sure.tolist(), strict=True)
    ]
    pairs = Counter(zip(gold.tolist(), found.tolist(), strict=True))
    confusion: dict[str, dict[str, int]] = {}
    for (one, other), times in sorted(pairs.items()):
        confusion.setdefault(names[one], {})[names[other]] = times
    by_relation = {
        name: _shares(
            Score(int((right & (gold == place)).sum()), int((found == place).sum()), int((gold == place).sum()))
        )
        for place, name in enumerate(names)
        if place and ((gold == place) | (found == place)).any()
    }
    figures = {**micro(counts), "accuracy": _accuracy(found, gold)}
    if least is not None:
        likeliest = decided(logits)
        figures["argmax_f1"] = micro(_pair_counts(likeliest, gold))["f1"]
        figures["argmax_accuracy"] = _accuracy(likeliest, gold)
    return Judgement(figures, counts, by_relation, confusion, told)


def gold_labels(prepared: Prepared) -> Labels:
    """The label of each candidate, none being 0."""
    return np.array([label_of(prepared.inventory, item.candidate) for item in prepared.items], np.int64)


def _pair_counts(found: Labels, gold: Labels) -> Counts:
    right = (gold == found) & (gold > 0)
    return np.stack([right, found > 0, gold > 0], axis=1).astype(np.int64)


def _accuracy(found: Labels, gold: Labels) -> float:
    return float((gold == found).mean()) if len(gold) else 0.0


def judge_reading(
    examples: Sequence[Example], predictions: Sequence[Prediction], names: Inventory, related: bool = True
) -> Judgement:
    """Mentions and quintuples against the data set's. "f1" is the mentions' of a tagger, or without gold relations."""
    singles = [
        (mention_score([example], [one]), relation_score([example], [one], names))
        for example, one in zip(examples, predictions, strict=True)
    ]
    mentions = sum((one for one, _ in singles), Score())
    relations = sum((one for _, one in singles), Score())
    related = related and relations.gold > 0
    chosen = [one[1] if related else one[0] for one in singles]
    counts = np.array([(one.right, one.predicted, one.gold) for one in chosen], np.int64).reshape(-1, 3)
    figures = {**micro(counts), "mention_f1": mentions.f1}
    by_relation: dict[str, dict[str, float]] = {}
    if related:
        figures["blind_f1"] = relation_score(examples, predictions, names, directed=False).f1
        figures["mentions_of_quintuples_f1"] = mentions_of_quintuples(examples, predictions).f1
        scores = relation_scores(examples, predictions, names)
        by_relation = {key: _shares(score) for key, score in sorted(scores.items())}
    told = [
        {"id": example.id, "right": one.right, "found": one.predicted, "gold": one.gold}
        for example, one in zip(examples, chosen, strict=True)
    ]
    return Judgement(figures, counts, by_relation, {}, told)


def mentions_of_quintuples(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Score:
    """Mentions that are an end of some quintuple, exact span and type."""
    total = Score()
    for example, one in zip(examples, predictions, strict=True):
        ends = sorted({end for fact in example.relations for end in (fact.head, fact.tail)})
        found = sorted({end for fact in one.relations for end in (fact.head, fact.tail)})
        gold = {_typed(example.mentions[end]) for end in ends}
        said = {_typed(one.mentions[end]) for end in found}
        total += Score(len(gold & said), len(said), len(gold))
    return total


def micro(counts: Counts) -> dict[str, float]:
    """Precision, recall and F1 over all items' counts."""
    right, found, gold = (int(value) for value in counts.sum(0)) if len(counts) else (0, 0, 0)
    score = Score(right, found, gold)
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1}


def _typed(mention: Any) -> tuple[int, int, str]:
    one: ScoredSpan = mention
    return one.start, one.end, one.type


def _shares(score: Score) -> dict[str, float]:
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1, "gold": score.gold}
