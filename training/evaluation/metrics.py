"""Scores of predictions: mentions, relations (strict, and undirected), empty sentences, calibration.

What an example does not settle is counted neither as right nor as wrong: predictions of types and relations that its
data set does not annotate, on masked pairs, on a mention whose type is not known, and, where not every mention is
annotated, on words outside the known ones. A symmetric relation counts once, whichever end is called its head.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from extraction.features.targets import WIDER
from extraction.labels import FOLDED, Inventory
from extraction.schema import Example, WordRelation, WordSpan
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan

Span = tuple[int, int]
TypedSpan = tuple[int, int, str]
Fact = tuple[TypedSpan, TypedSpan, str]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The mentions and relations extracted from one example."""

    mentions: Sequence[ScoredSpan] = ()
    relations: Sequence[ScoredRelation] = ()


@dataclass(frozen=True, slots=True)
class F1Score:
    """Counts, and what follows from them as shares 0..1."""

    right: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: F1Score) -> F1Score:
        return F1Score(self.right + other.right, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float:
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.predicted + self.gold) if self.right else 0.0

    def __str__(self) -> str:
        return f"P {self.precision:.1%}  R {self.recall:.1%}  F1 {self.f1:.1%}  ({self.right} of {self.gold})"


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions whose score lies in [low, high): how many, their mean score, and the share that was right."""

    low: float
    high: float
    count: int
    score: float
    right: float


@dataclass(frozen=True, slots=True)
class JudgedRelation:
    """A predicted relation that its example settles: its key, score, and whether it is right (strict)."""

    key: str
    score: float
    right: bool


def mention_score(examples: Sequence[Example], predictions: Sequence[Prediction]) -> F1Score:
    """Mentions with the right span and type."""
    total = F1Score()
    for example, prediction in _narrowed(examples, predictions):
        gold = {_typed(mention) for mention in known_mentions(example) if mention.type}
        found = {_typed(mention) for mention in prediction.mentions if settled_mention(example, mention)}
        total += F1Score(len(gold & found), len(found), len(gold))
    return total


def relation_score(
    examples: Sequence[Example], predictions: Sequence[Prediction], inventory: Inventory, *, directed: bool = True
) -> F1Score:
    """Strict: both spans, both types, relation, and (if `directed`) which end is the head."""
    return sum(relation_scores(examples, predictions, inventory, directed=directed).values(), F1Score())


def relation_scores(
    examples: Sequence[Example], predictions: Sequence[Prediction], inventory: Inventory, *, directed: bool = True
) -> dict[str, F1Score]:
    """The strict score of each relation that occurs in gold or prediction, by key."""
    totals: defaultdict[str, F1Score] = defaultdict(F1Score)
    for example, prediction in _narrowed(examples, predictions):
        canonical = canonical_by(inventory, directed, folded=example.news)
        gold = {canonical(fact) for fact in facts_of(example.mentions, example.relations)}
        found = {canonical(fact) for fact, _ in settled_facts(example, prediction, canonical)}
        for facts, score in ((gold & found, F1Score(right=1)), (found, F1Score(predicted=1)), (gold, F1Score(gold=1))):
            for _, _, key in facts:
                totals[key] += score
    return dict(totals)


def judged_relations(
    examples: Sequence[Example], predictions: Sequence[Prediction], inventory: Inventory
) -> list[JudgedRelation]:
    """Every predicted relation that its example settles, with its score and whether it is right."""
    judged: list[JudgedRelation] = []
    for example, prediction in _narrowed(examples, predictions):
        canonical = canonical_by(inventory, directed=True, folded=example.news)
        gold = {canonical(fact) for fact in facts_of(example.mentions, example.relations)}
        found: dict[Fact, tuple[str, float]] = {}
        for fact, score in settled_facts(example, prediction, canonical):
            found[canonical(fact)] = max(
                found.get(canonical(fact), (fact[2], 0.0)), (fact[2], score), key=lambda one: one[1]
            )
        judged += [JudgedRelation(key, score, fact in gold) for fact, (key, score) in found.items()]
    return judged


def empty_share(
    examples: Sequence[Example], predictions: Sequence[Prediction], inventory: Inventory
) -> tuple[int, int]:
    """(left empty, all) of the sentences that have no relation; relations on masked pairs do not count as found."""
    canonical = canonical_by(inventory, directed=True)
    empty = total = 0
    for example, prediction in _narrowed(examples, predictions):
        if not example.relations:
            total += 1
            empty += not any(True for _ in settled_facts(example, prediction, canonical))
    return empty, total


def reliability(scores: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Bins of equal width over 0..1; empty ones are left out."""
    grouped: defaultdict[int, list[tuple[float, bool]]] = defaultdict(list)
    for score, is_right in zip(scores, right, strict=True):
        grouped[min(int(score * bins), bins - 1)].append((score, is_right))
    return [
        Bin(
            number / bins,
            (number + 1) / bins,
            len(rows),
            sum(score for score, _ in rows) / len(rows),
            sum(is_right for _, is_right in rows) / len(rows),
        )
        for number, rows in sorted(grouped.items())
    ]


def calibration_error(scores: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: mean distance of a bin's score from its share of right ones, weighted by count."""
    rows = reliability(scores, right, bins)
    return sum(row.count * abs(row.score - row.right) for row in rows) / max(1, len(scores))


def _narrowed(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Iterator[tuple[Example, Prediction]]:
    """Each example with its prediction, as far as its data set annotates such things: of a set of names alone the
    names, under the wider type where it does not know the narrower one (its miscellaneous are events, too)."""
    for example, prediction in zip(examples, predictions, strict=True):
        yield example, prediction if example.news else _of_names(example, prediction)


def _of_names(example: Example, prediction: Prediction) -> Prediction:
    place = {old: new for new, old in enumerate(i for i, one in enumerate(prediction.mentions) if one.form == "name")}
    mentions = [_widened(example, prediction.mentions[old]) for old in place]
    relations = [
        replace(one, head=place[one.head], tail=place[one.tail])
        for one in prediction.relations
        if one.head in place and one.tail in place
    ]
    return Prediction(mentions, relations)


def _widened(example: Example, mention: ScoredSpan) -> ScoredSpan:
    narrow = mention.type in WIDER["miscellaneous"] and mention.type not in example.types
    return replace(mention, type="miscellaneous") if narrow else mention


def _typed(mention: WordSpan | ScoredSpan) -> TypedSpan:
    return mention.start, mention.end, mention.type


def known_mentions(example: Example) -> list[WordSpan]:
    """The annotated mentions, without those that nobody judged."""
    return [one for place, one in enumerate(example.mentions) if place not in example.unsettled]


def settled_mention(example: Example, mention: ScoredSpan) -> bool:
    if mention.type not in example.types:
        return False
    if _typed(mention) in {_typed(wrong) for wrong in example.not_mentions}:
        return True
    span = (mention.start, mention.end)
    known = [(gold.start, gold.end) for gold in known_mentions(example)]
    if any(not gold.type and (gold.start, gold.end) == span for gold in example.mentions):
        return False
    return example.complete or any(start < mention.end and mention.start < end for start, end in known)


def facts_of(
    mentions: Sequence[WordSpan | ScoredSpan], relations: Iterable[WordRelation | ScoredRelation]
) -> Iterator[Fact]:
    for relation in relations:
        yield _typed(mentions[relation.head]), _typed(mentions[relation.tail]), relation.key


def canonical_by(inventory: Inventory, directed: bool, folded: bool = False) -> Callable[[Fact], Fact]:
    """Facts as compared: ends ordered by place where the relation, or the figure, knows no direction; `folded`: a
    relation and its inverse are one."""
    symmetric = {relation.key for relation in inventory.relations if relation.symmetric}

    def canonical(fact: Fact) -> Fact:
        head, tail, key = fact
        if folded and key in FOLDED:
            head, tail, key = fact = (tail, head, FOLDED[key])
        ordered = key in symmetric or not directed
        return (tail, head, key) if ordered and tail < head else fact

    return canonical


def settled_facts(
    example: Example, prediction: Prediction, canonical: Callable[[Fact], Fact]
) -> Iterator[tuple[Fact, float]]:
    """The predicted facts that the example's annotation settles, with their scores."""
    spans = [(mention.start, mention.end) for mention in example.mentions]
    gold = {canonical(fact) for fact in facts_of(example.mentions, example.relations)}
    pairs = {(spans[head], spans[tail]) for head, tail in example.masked_pairs}
    triples = {(spans[head], spans[tail], key) for head, tail, key in example.masked_relations}
    for relation, fact in zip(prediction.relations, facts_of(prediction.mentions, prediction.relations), strict=True):
        if relation.key not in example.relation_keys:
            continue
        if canonical(fact) not in gold and _masked(example, fact, spans, pairs, triples, canonical):
            continue
        yield fact, relation.score


def _masked(
    example: Example,
    fact: Fact,
    spans: list[Span],
    pairs: set[tuple[Span, Span]],
    triples: set[tuple[Span, Span, str]],
    canonical: Callable[[Fact], Fact],
) -> bool:
    head, tail, key = fact
    turnable = canonical((head, tail, key)) == canonical((tail, head, key))
    for one, other in ((head[:2], tail[:2]), (tail[:2], head[:2]))[: 2 if turnable else 1]:
        if (one, other) in pairs or (one, other, key) in triples:
            return True
    return not example.complete and not (head[:2] in spans and tail[:2] in spans)


def micro(counts: NDArray[np.int64]) -> dict[str, float]:
    """Precision, recall and F1 over all items' counts."""
    right, found, gold = (int(value) for value in counts.sum(0)) if len(counts) else (0, 0, 0)
    score = F1Score(right, found, gold)
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1}


def shares(score: F1Score) -> dict[str, float]:
    """Precision, recall and F1 of one label, and how often it is annotated."""
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1, "gold": score.gold}
