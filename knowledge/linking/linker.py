"""From the names of a post to entities of knowledge sources, or to none (NIL), with every candidate kept.

    Linker.shipped([LocalIndex(path)]).link(names)

A name that is part of a longer one in the same post ("Merkel" after "Angela Merkel") means what the longer one means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.entities import names
from knowledge.linking.candidate_ranking import RARITY, Comparer, LinkWeights, Question, sureness
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
    """`chosen` is the best candidate's id where `sure` reaches the threshold, else "" (NIL). Best candidate first."""

    asked: Question
    candidates: tuple[RankedCandidate, ...]
    sure: float
    chosen: str
    through: str = ""  # the longer name of the post whose link this is
    source: str = ""  # whose candidates these are


class Linker:
    """Asks its sources in their order until one has an entity that is surely meant."""

    def __init__(self, sources: Sequence[Source], comparer: Comparer, weights: LinkWeights) -> None:
        self._sources, self._comparer, self._weights = sources, comparer, weights

    @classmethod
    def shipped(cls, sources: Sequence[Source]) -> Linker:
        """With the weights that ship. Raises context.ContextMissing."""
        return cls(sources, Comparer(ContextEncoder(np.load(RARITY).astype(np.float32))), LinkWeights.load())

    def link(self, asked: Sequence[Question]) -> list[LinkResult]:
        """One answer for each name of a post, in their order. Raises SourceUnavailable."""
        by_key = {names.name_key(one.name): one for one in asked if one.type == "person"}
        longer = names.longer(by_key)
        found = {one: self._link(one) for one in asked}
        return [self._through(one, longer, by_key, found) for one in asked]

    def known(self, target: str) -> Known | None:
        """What the first of its sources that knows this entity says of it. Raises SourceUnavailable."""
        for source in self._sources:
            if found := source.describe([target]).get(target):
                return found
        return None

    def _link(self, asked: Question) -> LinkResult:
        best = LinkResult(asked, (), 0.0, "")
        for source in self._sources:
            found = self._ranked(asked, _candidates(source, asked), source.name)
            if found.chosen:
                return found
            best = found if found.candidates and found.sure >= best.sure else best
        return best

    def _ranked(self, asked: Question, candidates: list[Known], source: str) -> LinkResult:
        if not candidates:
            return LinkResult(asked, (), 0.0, "")
        features = self._comparer.compare(asked, candidates)
        scores = features @ self._weights.ranking
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        sure = 1 / (1 + float(np.exp(-(sureness(features, scores) @ self._weights.sure))))
        ranked = [
            RankedCandidate(candidates[i], float(scores[i]), float(shares[i]))
            for i in np.argsort(-scores, kind="stable")
        ]
        chosen = ranked[0].known.id if sure >= self._weights.threshold else ""
        return LinkResult(asked, tuple(ranked), sure, chosen, source=source)

    @staticmethod
    def _through(
        one: Question, longer: dict[str, str], by_key: dict[str, Question], found: dict[Question, LinkResult]
    ) -> LinkResult:
        whole = longer.get(names.name_key(one.name)) if one.type == "person" else None
        if whole is None:
            return found[one]
        chief = found[by_key[whole]]
        return LinkResult(one, chief.candidates, chief.sure, chief.chosen, chief.asked.name, chief.source)


def _candidates(source: Source, asked: Question) -> list[Known]:
    ids = source.search(asked.name, CANDIDATES)
    known = source.describe(ids) if ids else {}
    return [known[one] for one in ids if one in known and _may_be(asked.type, known[one])]


def _may_be(entity_type: str, known: Known) -> bool:
    """A person is nothing else, and nothing else is a person; the other types are not told apart so surely."""
    persons = {"person" in known.types, entity_type == "person"}
    return not known.types or not entity_type or len(persons) == 1
