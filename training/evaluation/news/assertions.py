"""The relations of an article between its gold entities, and which extracted ones are right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from extraction.datasets.annotation import AnnotatedMention, AnnotatedRelation
from extraction.schema import Extraction, Region, Relation
from training.corpora.agreement import MeasureCounts, agreement
from training.corpora.validation import canonical
from training.evaluation.news.alignment import EntityAlignment, ReadArticle, as_annotation, entity_of

# Relation, head, tail: between entities, with inverses and symmetric relations written in one way (`canonical`).
Fact = tuple[str, str, str]
Thresholds = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class AlignedAssertion:
    """An extracted relation as a fact between gold entities; an end that stands for none keeps a name of its own."""

    relation: Relation
    fact: Fact

    def reaches(self, thresholds: Thresholds) -> bool:
        return self.relation.score >= thresholds.get(self.relation.key, thresholds["default"])


class ComparedArticle:
    """What a reader extracted from one article beside its gold annotation."""

    def __init__(self, article: ReadArticle) -> None:
        self.gold, self.extraction = article.gold, article.extraction
        predicted = as_annotation(article.extraction)
        self.alignment = EntityAlignment(article.gold, predicted)
        self._agreement = agreement([article.gold], [predicted])
        self.assertions = tuple(self._aligned())
        self.facts: dict[Fact, list[AnnotatedRelation]] = defaultdict(list)
        for relation in article.gold.relations:
            ends = (self.gold.mentions[index].entity for index in (relation.head, relation.tail))
            self.facts[canonical(relation.relation, *ends)].append(relation)

    def counts(self, measure: str) -> MeasureCounts:
        """Of mentions, names or entities, as between two annotators; the gold annotation is the first."""
        return self._agreement.tallies[measure]

    @cached_property
    def best_scores(self) -> dict[Fact, float]:
        """The highest score of each fact."""
        scores: dict[Fact, float] = {}
        for one in self.assertions:
            scores[one.fact] = max(one.relation.score, scores.get(one.fact, 0.0))
        return scores

    def reached(self, thresholds: Thresholds) -> list[AlignedAssertion]:
        return [one for one in self.assertions if one.reaches(thresholds)]

    def same(self, index: int | None, gold: Sequence[int]) -> bool:
        """Whether an extracted mention is one of these gold mentions: of its entity, or with a span that overlaps."""
        if index is None:
            return False
        mention, entity = self.extraction.mentions[index], self._entity(index)
        wanted = [self.gold.mentions[one] for one in gold]
        return any(one.entity == entity or _overlap(one, mention.start, mention.end) for one in wanted)

    def _aligned(self) -> Iterator[AlignedAssertion]:
        for relation in self.extraction.relations:
            if not isinstance(relation.tail, Region):
                ends = self._entity(relation.head), self._entity(relation.tail)
                yield AlignedAssertion(relation, canonical(relation.key, *ends))

    def _entity(self, index: int) -> str:
        entity = entity_of(self.extraction, index)
        return self.alignment.gold_entity(entity) or f"\0{entity}"


def _overlap(mention: AnnotatedMention, start: int, end: int) -> bool:
    return mention.start < end and start < mention.end


def repeats(extraction: Extraction, assertions: Sequence[AlignedAssertion]) -> int:
    """How many assertions have the pair and relation of an earlier one, as somebody sees it who reads the names.

    An end is the name of its entity; its words where mentions were not brought together. Gold entities play no part.
    """
    seen = {canonical(one.relation.key, *_names(extraction, one.relation)) for one in assertions}
    return len(assertions) - len(seen)


def _names(extraction: Extraction, relation: Relation) -> tuple[str, str]:
    assert isinstance(relation.tail, int)
    return _name(extraction, relation.head), _name(extraction, relation.tail)


def _name(extraction: Extraction, index: int) -> str:
    mention = extraction.mentions[index]
    if mention.entity is None:
        return extraction.text[mention.start : mention.end].casefold()
    return extraction.entities[mention.entity].name.casefold() or f"\0{mention.entity}"


def best_threshold(articles: Sequence[ComparedArticle]) -> float:
    """The one threshold for all relations with the highest F1 of facts over these articles, factuality apart.

    Of equal ones the highest; 0 where nothing is found.
    """
    scored = sorted(
        ((score, fact in article.facts) for article in articles for fact, score in article.best_scores.items()),
        reverse=True,
    )
    gold = sum(len(article.facts) for article in articles)
    best, threshold, right = 0.0, 0.0, 0
    for found, (score, is_right) in enumerate(scored, start=1):
        right += is_right
        last_of_score = found == len(scored) or scored[found][0] < score
        if last_of_score and (f1 := 2 * right / (found + gold)) > best:
            best, threshold = f1, score
    return threshold
