"""Links the names of a post to entities of knowledge sources, or to none (NIL), and keeps every candidate.

    Linker.shipped([LocalIndex(path)]).link(names)

A name that is part of a longer one in the same post ("Merkel" after "Angela Merkel") means what the longer one means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.entities import names
from knowledge.linking.candidate_ranking import RARITY, Comparer, LinkWeights, Question, confidence_features
from knowledge.linking.text_similarity import ContextEncoder
from knowledge.sources.protocol import Known, Source

CANDIDATES = 30


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """`share` is its part of the softmax over all candidates."""

    known: Known
    score: float
    share: float


@dataclass(frozen=True, slots=True)
class LinkResult:
    """`chosen`: the best candidate's id where `confidence` reaches the threshold, else "" (NIL). Best one first."""

    question: Question
    candidates: tuple[RankedCandidate, ...]
    confidence: float
    chosen: str
    through: str = ""  # the longer name of the post that this link was found by
    source: str = ""  # the source of the candidates


class Linker:
    """Searches its sources in their order until one has a candidate that reaches the threshold."""

    def __init__(self, sources: Sequence[Source], comparer: Comparer, weights: LinkWeights) -> None:
        self._sources, self._comparer, self._weights = sources, comparer, weights

    @classmethod
    def shipped(cls, sources: Sequence[Source]) -> Linker:
        """With the weights that ship. Raises ContextMissing."""
        return cls(sources, Comparer(ContextEncoder(np.load(RARITY).astype(np.float32))), LinkWeights.load())

    def link(self, questions: Sequence[Question]) -> list[LinkResult]:
        """One result for each name of a post, in their order. Raises SourceUnavailable."""
        by_key = {names.name_key(one.name): one for one in questions if one.type == "person"}
        longer = names.longer(by_key)
        found = {one: self._link(one) for one in questions}
        return [self._through(one, longer, by_key, found) for one in questions]

    def known(self, target: str) -> Known | None:
        """The entity as described by the first source that has it. Raises SourceUnavailable."""
        for source in self._sources:
            if found := source.describe([target]).get(target):
                return found
        return None

    def _link(self, question: Question) -> LinkResult:
        best = LinkResult(question, (), 0.0, "")
        for source in self._sources:
            found = self._ranked(question, _candidates(source, question), source.name)
            if found.chosen:
                return found
            best = found if found.candidates and found.confidence >= best.confidence else best
        return best

    def _ranked(self, question: Question, candidates: list[Known], source: str) -> LinkResult:
        if not candidates:
            return LinkResult(question, (), 0.0, "")
        features = self._comparer.compare(question, candidates)
        scores = features @ self._weights.ranking
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        confidence = 1 / (1 + float(np.exp(-(confidence_features(features, scores) @ self._weights.confidence))))
        ranked = [
            RankedCandidate(candidates[i], float(scores[i]), float(shares[i]))
            for i in np.argsort(-scores, kind="stable")
        ]
        chosen = ranked[0].known.id if confidence >= self._weights.threshold else ""
        return LinkResult(question, tuple(ranked), confidence, chosen, source=source)

    @staticmethod
    def _through(
        one: Question, longer: dict[str, str], by_key: dict[str, Question], found: dict[Question, LinkResult]
    ) -> LinkResult:
        whole = longer.get(names.name_key(one.name)) if one.type == "person" else None
        if whole is None:
            return found[one]
        chief = found[by_key[whole]]
        return LinkResult(one, chief.candidates, chief.confidence, chief.chosen, chief.question.name, chief.source)


def _candidates(source: Source, question: Question) -> list[Known]:
    ids = source.search(question.name, CANDIDATES)
    known = source.describe(ids) if ids else {}
    return [known[one] for one in ids if one in known and _may_be(question.type, known[one])]


def _may_be(entity_type: str, known: Known) -> bool:
    """Whether types agree: persons and others exclude each other; the other types are not distinguished so reliably."""
    persons = {"person" in known.types, entity_type == "person"}
    return not known.types or not entity_type or len(persons) == 1
