"""Ranks the candidates of a name, and decides whether the name means any of them.

A candidate's score is linear in the features below; the scores of a mention's candidates make a softmax (conditional
logit). A second, logistic function of the best candidate's score, its lead and its likeness gives the confidence of
that choice: where it is below the threshold, the name stands for none of them (NIL). Both are fitted on texts whose
names were linked by hand (`manage.py train_linker`), the second with a fifth of the entities left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.entities import spelling_variants
from knowledge.linking.text_similarity import ContextEncoder, Vector
from knowledge.sources.local_index import Word, index_key, words
from knowledge.sources.protocol import Known

FOLDER = Path(__file__).parents[1] / "data"
WEIGHTS, RARITY = FOLDER / "linker.json", FOLDER / "rarity.npy"
TEXTS = 20  # of a candidate that are compared
SMALL = frozenset("a an the of and in on at for to by with as is was his her from".split())  # noqa: SIM905

Floats = NDArray[np.float64]

FEATURES = (
    "called exactly so",
    "share of the name's words in the mention",
    "same last word",
    "same first word",
    "number or rank in the name",
    "log of popularity",
    "other texts name it",
    "likeness of the best description",
    "likeness of all descriptions",
    "share of the description's words that stand in the context",
    "rest of the name stands in the context",
    "share of the other names that its descriptions name",
    "another name is part of its name",
    "type agrees",
    "type disagrees",
)
# Not in the texts that the rest was fitted on, which have no types: set so that a wrong type weighs as much as a wrong
# last word, and a right one half of that.
BY_HAND = {"type agrees": 1.2, "type disagrees": -2.4}
CONFIDENCE_FEATURES = ("bias", "score", "lead", "likeness", "called exactly so", "log of candidates")


@dataclass(frozen=True, slots=True)
class Question:
    """A name as a post has it: the entity type that was read, the words around it, the post's other names."""

    name: str
    type: str
    context: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkWeights:
    """`ranking` by FEATURES, `confidence` by CONFIDENCE_FEATURES; `threshold`: the confidence from which the best
    candidate is chosen."""

    ranking: Floats
    confidence: Floats
    threshold: float = 0.5

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> LinkWeights:
        values = json.loads(path.read_text(encoding="utf-8"))
        ranking = np.array([values["ranking"][name] for name in FEATURES])
        return cls(
            ranking, np.array([values["sure"][name] for name in CONFIDENCE_FEATURES]), float(values["threshold"])
        )

    def save(self, path: Path, about: dict[str, object]) -> None:
        values = {
            "ranking": {name: round(float(value), 4) for name, value in zip(FEATURES, self.ranking, strict=True)},
            "sure": {
                name: round(float(value), 4) for name, value in zip(CONFIDENCE_FEATURES, self.confidence, strict=True)
            },
            "threshold": self.threshold,
            "about": about,
        }
        path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class Comparer:
    """Compares a name in its context with its candidates."""

    def __init__(self, encoder: ContextEncoder) -> None:
        self._encoder = encoder

    def compare(self, question: Question, candidates: Sequence[Known]) -> Floats:
        """(candidates, FEATURES)."""
        written = words(question.name)
        name_words = [word.key for word in written]
        pieces = set(self._encoder.pieces(question.name))
        around = self._encoder.vector(question.context, pieces)
        context = set(index_key(question.context).split()) - set(name_words)
        others = {word for name in question.others for word in index_key(name).split()} - SMALL
        rows = [self._row(question, written, pieces, around, context, others, one) for one in candidates]
        return np.array(rows, np.float64).reshape(len(candidates), len(FEATURES))

    def _row(
        self,
        question: Question,
        written: list[Word],
        pieces: set[int],
        around: Vector,
        context: set[str],
        others: set[str],
        one: Known,
    ) -> list[float]:
        name_words = [word.key for word in written]
        called = _closest(name_words, written, one)
        texts = [text for text in (one.description, *one.texts, *(fact.label for fact in one.facts)) if text][:TEXTS]
        alike = [float(around @ self._encoder.vector(text, pieces)) for text in texts]
        described = set(index_key(one.description).split()) - SMALL
        text_words = {word for text in texts for word in index_key(text).split()}
        return [
            called == name_words,
            len(name_words) / max(1, len(called)),
            called[-1:] == name_words[-1:],
            called[:1] == name_words[:1],
            any(word.isdigit() or word in _RANKS for word in called) and called != name_words,
            math.log1p(one.popularity),
            bool(one.texts),
            max(alike, default=0.0),
            sum(alike) / len(alike) if alike else 0.0,
            len(described & context) / max(1, len(described)),
            bool((set(called) - set(name_words)) & context),
            len(others & text_words) / max(1, len(others)),
            bool(others & set(called)),
            bool(one.types) and question.type in one.types,
            bool(one.types and question.type) and question.type not in one.types,
        ]


_RANKS = frozenset("i ii iii iv v vi vii viii ix x jr sr".split())  # noqa: SIM905


def confidence_features(features: Floats, scores: Floats) -> Floats:
    """The features for the confidence of the best of these candidates (CONFIDENCE_FEATURES,)."""
    order = np.argsort(-scores)
    best = order[0]
    lead = float(scores[best] - scores[order[1]]) if len(scores) > 1 else 6.0
    likeness, exact = FEATURES.index("likeness of the best description"), FEATURES.index("called exactly so")
    return np.array(
        [1.0, scores[best], min(lead, 6.0), features[best, likeness], features[best, exact], math.log(len(scores))]
    )


def _closest(name_words: list[str], written: list[Word], one: Known) -> list[str]:
    """The words of the entity's name that fits best: the one with the fewest words that the given name lacks. A word
    that is spelt alike counts as the given name's word."""
    called = [[_as_in_name(word, name_words, written) for word in words(name)] for name in (*one.names, one.label)]
    return min(
        called, key=lambda one: (len(set(one) - set(name_words)) + 3 * len(set(name_words) - set(one)), len(one))
    )


def _as_in_name(word: Word, name_words: list[str], written: list[Word]) -> str:
    if word.key in name_words:
        return word.key
    return next((mine.key for mine in written if spelling_variants.alike(mine.written, word.written)), word.key)
