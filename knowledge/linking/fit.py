"""Fits the linker's weights on texts whose names were linked by hand, and evaluates a linker on others.

The texts come in MELBench's form: an object of records, each with a sentence, its mentions, and for each mention an
entity's name and Wikidata id. A name's part in parentheses serves as its description; what describes an entity beside
it are the sentences of other records, and how many they are is its popularity.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from knowledge.linking.candidate_ranking import (
    BY_HAND,
    CONFIDENCE_FEATURES,
    FEATURES,
    Comparer,
    Floats,
    LinkWeights,
    Question,
    confidence_features,
)
from knowledge.linking.linker import CANDIDATES, Linker
from knowledge.sources.local_index import LocalIndex
from knowledge.sources.protocol import Known

HELD_OUT = 2000
LEFT_OUT = 5  # one entity in so many is taken out of the index to learn and to measure what NIL is


class RecordsError(Exception):
    """The file is not in MELBench's form; the message names the record."""


@dataclass(frozen=True, slots=True)
class LinkExample:
    id: str
    sentence: str
    mentions: tuple[str, ...]
    names: tuple[str, ...]
    answers: tuple[str, ...]


def records(path: Path) -> list[LinkExample]:
    """All records in the order of their ids. Raises RecordsError."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordsError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(rows, dict):
        raise RecordsError(f"{path} holds no object of records")
    return [_record(path, key, rows[key]) for key in sorted(rows, key=lambda key: (len(key), key))]


def _record(path: Path, key: str, row: object) -> LinkExample:
    try:
        assert isinstance(row, dict)
        mentions, names, answers = (tuple(map(str, row[name])) for name in ("mentions", "entities", "answer"))
        assert len(mentions) == len(names) == len(answers) and all(one[:1] == "Q" for one in answers)
        return LinkExample(key, str(row["sentence"]), mentions, names, answers)
    except (AssertionError, KeyError, TypeError) as error:
        raise RecordsError(
            f"{path}, record {key}: a sentence, and as many mentions as entities and answers (Q…) are needed"
        ) from error


def split(rows: Sequence[LinkExample], seed: int = 1) -> tuple[list[LinkExample], list[LinkExample]]:
    """(for fitting, HELD_OUT for measuring), drawn by the seed."""
    drawn = list(rows)
    random.Random(seed).shuffle(drawn)
    return drawn[HELD_OUT:], drawn[:HELD_OUT]


def entities(named: Sequence[LinkExample], described_by: Sequence[LinkExample]) -> dict[str, Known]:
    """Every entity that the first records name, with sentences of the second."""
    texts: dict[str, list[str]] = defaultdict(list)
    for row in described_by:
        for answer in set(row.answers):
            texts[answer].append(row.sentence)
    found = {}
    for row in named:
        for name, answer in zip(row.names, row.answers, strict=True):
            base, _, rest = name.partition(" (")
            sentences = tuple(texts[answer])
            found[answer] = Known(answer, base, rest.rstrip(")"), (base,), popularity=len(sentences), texts=sentences)
    return found


def questions(row: LinkExample) -> list[Question]:
    return [
        Question(name, "", row.sentence, (*row.mentions[:at], *row.mentions[at + 1 :]))
        for at, name in enumerate(row.mentions)
    ]


def fit(rows: Sequence[LinkExample], index: LocalIndex, known: Mapping[str, Known], comparer: Comparer) -> LinkWeights:
    """Weights from records whose entities `known` describes; a record's own sentence never describes its entities."""
    groups = list(_groups(rows, index, known, comparer, frozenset()))
    ranking = _conditional_logit(
        [(features, gold) for features, gold in groups if gold is not None and len(features) > 1]
    )
    for name, value in BY_HAND.items():
        ranking[FEATURES.index(name)] = value
    absent = left_out(known)
    inputs, right = [], []
    for features, gold in _groups(rows, index, known, comparer, absent):
        if len(features):
            scores = features @ ranking
            inputs.append(confidence_features(features, scores))
            right.append(gold == int(np.argmax(scores)))
    return LinkWeights(ranking, _logistic(np.array(inputs), np.array(right, np.float64)))


def left_out(ids: Collection[str], seed: int = 1) -> frozenset[str]:
    """A random fifth of the entities."""
    ordered = sorted(ids)
    return frozenset(random.Random(seed).sample(ordered, len(ordered) // LEFT_OUT))


def _groups(
    rows: Sequence[LinkExample],
    index: LocalIndex,
    known: Mapping[str, Known],
    comparer: Comparer,
    absent: Collection[str],
) -> Iterator[tuple[Floats, int | None]]:
    """For each mention its candidates' features, and the index of the right one (None: none of them)."""
    for row in rows:
        for question, answer in zip(questions(row), row.answers, strict=True):
            ids = [one for one in index.search(question.name, CANDIDATES) if one not in absent]
            candidates = [_without(known[one], row.sentence) for one in ids]
            yield comparer.compare(question, candidates), ids.index(answer) if answer in ids else None


def _without(known: Known, sentence: str) -> Known:
    if sentence not in known.texts:
        return known
    texts = tuple(text for text in known.texts if text != sentence)
    return replace(known, texts=texts, popularity=len(texts))


def _conditional_logit(groups: Sequence[tuple[Floats, int]]) -> Floats:
    from scipy.optimize import minimize

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = 0.5 * float(weights @ weights), weights.copy()
        for features, gold in groups:
            scores = features @ weights
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            total -= float(np.log(shares[gold] + 1e-12))
            slope += shares @ features - features[gold]
        return total, slope

    found: Floats = minimize(loss, np.zeros(len(FEATURES)), jac=True, method="L-BFGS-B").x
    return found


def _logistic(inputs: Floats, right: Floats) -> Floats:
    from scipy.optimize import minimize

    def loss(weights: Floats) -> tuple[float, Floats]:
        predicted = 1 / (1 + np.exp(-(inputs @ weights)))
        total = -(right * np.log(predicted + 1e-12) + (1 - right) * np.log(1 - predicted + 1e-12)).sum()
        return float(total + 0.5 * weights @ weights), inputs.T @ (predicted - right) + weights

    found: Floats = minimize(loss, np.zeros(len(CONFIDENCE_FEATURES)), jac=True, method="L-BFGS-B").x
    return found


@dataclass(slots=True)
class LinkScore:
    """Shares of mentions that went to the right entity; of those with several candidates too, each beside a baseline
    that takes the candidate with the shortest name. NIL: precision, recall and F1 are of "none of them".

    `confidences` and `correct`, of each mention with candidates: the confidence of the best, and whether it was right.
    """

    mentions: int = 0
    right: int = 0
    several: int = 0
    several_right: int = 0
    baseline: int = 0
    several_baseline: int = 0
    nil_right: int = 0
    nil_predicted: int = 0
    nil_true: int = 0
    exact_right: int = 0
    exact_predicted: int = 0
    confidences: list[float] = field(default_factory=list)
    correct: list[bool] = field(default_factory=list)

    def nil_f1(self, exact: bool = False) -> float:
        right, predicted = (self.exact_right, self.exact_predicted) if exact else (self.nil_right, self.nil_predicted)
        return 2 * right / max(1, predicted + self.nil_true)


def measure(rows: Sequence[LinkExample], linker: Linker, index: LocalIndex, absent: Collection[str] = ()) -> LinkScore:
    """Score a linker. With `absent` entities, which the index lacks, their mentions are NIL. Without, every mention
    gets its best candidate whatever the confidence."""
    score = LinkScore()
    for row in rows:
        for linked, answer in zip(linker.link(questions(row)), row.answers, strict=True):
            ids = [one.known.id for one in linked.candidates]
            _count(score, linked.question.name, ids, linked.chosen, answer, absent, linked.candidates)
            if ids:
                score.confidences.append(linked.confidence)
                score.correct.append(ids[0] == answer)
    return score


def _count(
    score: LinkScore, name: str, ids: list[str], chosen: str, answer: str, absent: Collection[str], candidates: Sequence
) -> None:
    from knowledge.sources.local_index import index_key

    key = index_key(name)
    shortest = min(candidates, key=lambda one: (len(index_key(one.known.label)), one.known.id), default=None)
    simple = shortest is not None and shortest.known.id == answer
    exact = any(index_key(one.known.label) == key for one in candidates)
    score.mentions += 1
    score.right += bool(ids) and ids[0] == answer
    score.baseline += simple
    if len(ids) > 1:
        score.several += 1
        score.several_right += ids[0] == answer
        score.several_baseline += simple
    nil = answer in absent
    score.nil_true += nil
    score.nil_predicted += not chosen
    score.nil_right += nil and not chosen
    score.exact_predicted += not exact
    score.exact_right += nil and not exact
