"""Chooses a reader's thresholds on the dev articles of the corpora of news: from where on enough of it is right.

An assertion is judged as an editor judges it: of two entities of the article, not of two spans.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from extraction.datasets.articles import load_articles
from extraction.labels import NEWS, RELATIONS
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.load import reader_of
from extraction.text.parser import Parser
from training.evaluation.metrics import JudgedRelation
from training.evaluation.news.assertions import ComparedArticle
from training.evaluation.news.reading import CorpusReadings
from training.publishing.calibration import Thresholds

# Of what is asserted on dev, the share that the annotation has too. More of it is right: two annotators agree on 79 of
# a hundred relations of `voa`, and most of what dev counts as wrong above a probability of 0.85 is so
# (docs/benchmarks.md). What harms people if it is wrong needs more, and waits for an editor below its threshold.
PRECISION, SENSITIVE_PRECISION = 0.70, 0.85
STEPS = tuple(step / 50 for step in range(15, 50))
ENOUGH = 12  # assertions of a relation on dev, for a threshold of its own
# A relation's own share of right ones is drawn to that of all relations as by so many assertions.
PULL = 6.0


@dataclass(frozen=True, slots=True)
class _Judged:
    """The assertions of some relations, the most probable first, and how many of the first ones are right."""

    scores: list[float]
    right: list[int]

    @classmethod
    def of(cls, judged: Iterable[JudgedRelation]) -> _Judged:
        ordered = sorted(judged, key=lambda one: -one.score)
        right = [0]
        for one in ordered:
            right.append(right[-1] + one.right)
        return cls([one.score for one in ordered], right)

    def above(self, threshold: float) -> tuple[int, int]:
        """How many assertions reach the threshold, and how many of these are right."""
        count = sum(score >= threshold for score in self.scores)
        return count, self.right[count]


def dev_articles(checkpoint: LoadedCheckpoint, root: Path) -> list[ComparedArticle]:
    """The dev articles of the corpora that the checkpoint was trained on, as it reads them."""
    corpora = [name for name in NEWS if name in checkpoint.manifest.data]
    if not corpora:
        return []
    texts = load_articles(root / "voa" / "articles.jsonl") if "voa" in corpora else {}
    readings = CorpusReadings(reader_of(checkpoint, Parser.load()), texts)
    return [article for name in corpora for article in readings.of(name, "dev")]


def news_thresholds(articles: Sequence[ComparedArticle]) -> Thresholds:
    """By relation, the lowest threshold from which on enough assertions are right; "default" for rare relations."""
    judged = [one for article in articles for one in _judged(article)]
    gold = sum(any(one.factuality != "denied" for one in facts) for a in articles for facts in a.facts.values())
    everything = _Judged.of(judged)
    values = {"default": _lowest(everything, everything, PRECISION)}
    harmful = _lowest(everything, everything, SENSITIVE_PRECISION)
    by_key: defaultdict[str, list[JudgedRelation]] = defaultdict(list)
    for one in judged:
        by_key[one.key].append(one)
    for key, relation in RELATIONS.items():
        precision = SENSITIVE_PRECISION if relation.sensitive else PRECISION
        if sum(one.score >= STEPS[0] for one in by_key[key]) >= ENOUGH:
            values[key] = _lowest(_Judged.of(by_key[key]), everything, precision)
        elif relation.sensitive:
            values[key] = harmful
    selected = [one.right for one in judged if one.score >= values.get(one.key, values["default"])]
    return Thresholds(values, sum(selected) / max(1, len(selected)), sum(selected) / max(1, gold))


def _judged(article: ComparedArticle) -> Iterable[JudgedRelation]:
    """Each fact that the reader asserts, at its highest score; right where the article does not only deny it."""
    best: dict[object, JudgedRelation] = {}
    for one in article.assertions:
        if one.relation.factuality == "denied":
            continue
        right = any(gold.factuality != "denied" for gold in article.facts.get(one.fact, ()))
        if one.fact not in best or best[one.fact].score < one.relation.score:
            best[one.fact] = JudgedRelation(one.relation.key, one.relation.score, right)
    return best.values()


def _lowest(own: _Judged, everything: _Judged, precision: float) -> float:
    """The lowest threshold from which on enough of these are right, as far as all assertions let one expect it."""
    for threshold in STEPS:
        count, right = own.above(threshold)
        every, every_right = everything.above(threshold)
        expected = every_right / every if every else 0.0
        if (right + PULL * expected) / (count + PULL) >= precision:
            return threshold
    return STEPS[-1]
