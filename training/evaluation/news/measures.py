"""The measures of a reader of news: each as sums over articles, its figure, and its interval over articles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from extraction.datasets.annotation import AnnotatedRelation
from extraction.labels import RELATIONS
from extraction.schema import FACTUALITIES, Form
from training.corpora.validation import GEOGRAPHY
from training.evaluation.bootstrap import Floats, Interval, figure_interval
from training.evaluation.news.assertions import AlignedAssertion, ComparedArticle, Thresholds, repeats

F1_COLUMNS = ("gold", "found", "gold right", "found right")
SHARE_COLUMNS = ("right", "all")
CLASS_COLUMNS = tuple(f"{one} {column}" for one in FACTUALITIES for column in ("right", "found", "gold"))

Sums = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """What counts as extracted: for F1 one threshold for all relations, for what is asserted those of each relation."""

    f1: Thresholds
    asserted: Thresholds


@dataclass(frozen=True, slots=True)
class Measure:
    """`of` gives an article's sums, whose meaning `columns` names; `figure` a value of such sums, along the last axis
    of an array, NaN where there is nothing to measure."""

    key: str
    about: str
    columns: tuple[str, ...]
    of: Callable[[ComparedArticle, Cut], Sums]
    figure: Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """The figure over all articles with its 95 % interval, and its sums by the names of their columns."""

    measure: Measure
    interval: Interval
    counts: dict[str, float]


@dataclass(slots=True)
class RelationCounts:
    """Facts of one relation, factuality apart: at the threshold of the F1, and as asserted."""

    gold: int = 0
    found: int = 0
    right: int = 0
    asserted: int = 0
    asserted_right: int = 0


def measure(articles: Sequence[ComparedArticle], cut: Cut) -> list[MeasuredValue]:
    """Every measure over these articles, of which there is at least one."""
    return [_measured(one, articles, cut) for one in MEASURES]


def _measured(one: Measure, articles: Sequence[ComparedArticle], cut: Cut) -> MeasuredValue:
    sums = np.array([one.of(article, cut) for article in articles], dtype=np.float64)
    counts = dict(zip(one.columns, (float(total) for total in sums.sum(0)), strict=True))
    return MeasuredValue(one, figure_interval(sums, one.figure), counts)


def by_relation(articles: Sequence[ComparedArticle], cut: Cut) -> dict[str, RelationCounts]:
    """Counts of facts by relation, the most frequent in gold first; a relation and its inverse are one."""
    counts: dict[str, RelationCounts] = {}
    for article in articles:
        found, asserted = ({one.fact for one in article.reached(level)} for level in (cut.f1, cut.asserted))
        for fact in article.facts.keys() | found | asserted:
            of_key, right = counts.setdefault(fact[0], RelationCounts()), fact in article.facts
            of_key.gold += right
            of_key.found += fact in found
            of_key.right += right and fact in found
            of_key.asserted += fact in asserted
            of_key.asserted_right += right and fact in asserted
    return dict(sorted(counts.items(), key=lambda row: (-row[1].gold, -row[1].found, row[0])))


# Figures of sums.


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    unknown = np.full(np.shape(numerator), math.nan)
    return np.asarray(np.divide(numerator, denominator, out=unknown, where=np.asarray(denominator) > 0))


def f1_figure(sums: Floats) -> Floats:
    """Of `F1_COLUMNS`. 0 where only one of gold and found has any."""
    gold, found, gold_right, found_right = np.moveaxis(sums, -1, 0)
    recall, precision = np.nan_to_num(_ratio(gold_right, gold)), np.nan_to_num(_ratio(found_right, found))
    values = np.nan_to_num(_ratio(2 * precision * recall, precision + recall))
    return np.where(gold + found > 0, values, math.nan)


def share_figure(sums: Floats) -> Floats:
    """Of `SHARE_COLUMNS`."""
    right, every = np.moveaxis(sums, -1, 0)
    return _ratio(right, every)


def macro_f1_figure(sums: Floats) -> Floats:
    """Of `CLASS_COLUMNS`: the mean F1 of the classes that occur in gold or among what is found."""
    right, found, gold = np.moveaxis(sums.reshape(*sums.shape[:-1], len(FACTUALITIES), 3), -1, 0)
    occurs = found + gold > 0
    values = np.where(occurs, 2 * right / np.where(occurs, found + gold, 1.0), 0.0)
    return _ratio(values.sum(-1), occurs.sum(-1).astype(np.float64))


# An article's sums.


def _agreed(name: str) -> Callable[[ComparedArticle, Cut], Sums]:
    def of(article: ComparedArticle, cut: Cut) -> Sums:
        counts = article.counts(name)
        return counts.first, counts.second, counts.first_found, counts.second_found

    return of


def _references(form: Form) -> Callable[[ComparedArticle, Cut], Sums]:
    def of(article: ComparedArticle, cut: Cut) -> Sums:
        return _share(article.alignment.references(form))

    return of


def _share(results: Iterable[bool]) -> Sums:
    values = list(results)
    return sum(values), len(values)


def _facts(article: ComparedArticle, cut: Cut) -> Sums:
    found = {one.fact for one in article.reached(cut.f1)}
    right = len(found & article.facts.keys())
    return len(article.facts), len(found), right, right


def _qualified_facts(article: ComparedArticle, cut: Cut) -> Sums:
    found = {(one.fact, one.relation.factuality) for one in article.reached(cut.f1)}
    gold = _with_factuality(article)
    right = len(found & gold)
    return len(gold), len(found), right, right


def _with_factuality(article: ComparedArticle) -> set[tuple[object, str]]:
    return {(fact, one.factuality) for fact, relations in article.facts.items() for one in relations}


def _precision(article: ComparedArticle, cut: Cut) -> Sums:
    return _share(fact in article.facts for fact in {one.fact for one in article.reached(cut.asserted)})


def _recall(article: ComparedArticle, cut: Cut) -> Sums:
    found = {one.fact for one in article.reached(cut.asserted)}
    return _share(fact in found for fact in article.facts)


def _factualities(article: ComparedArticle, cut: Cut) -> Sums:
    found = {(one.fact, one.relation.factuality) for one in article.reached(cut.f1) if one.fact in article.facts}
    facts = {fact for fact, _ in found}
    gold = {row for row in _with_factuality(article) if row[0] in facts}
    counted = [Counter(factuality for _, factuality in rows) for rows in (found & gold, found, gold)]
    return tuple(counts[one] for one in FACTUALITIES for counts in counted)


def _wanted(name: str) -> Callable[[ComparedArticle, Cut], Sums]:
    """Of the gold relations that have one and whose fact was found, those for which an assertion gives it rightly."""

    def of(article: ComparedArticle, cut: Cut) -> Sums:
        reached = article.reached(cut.f1)
        found = {one.fact for one in reached}
        return _share(
            any(article.same(_given(one, name), wanted) for one in reached if one.fact == fact)
            for fact in article.facts.keys() & found
            for relation in article.facts[fact]
            if (wanted := _gold_indexes(relation, name))
        )

    return of


def _given_right(name: str) -> Callable[[ComparedArticle, Cut], Sums]:
    """Of the assertions of right facts that give one, those that a gold relation of the fact has too."""

    def of(article: ComparedArticle, cut: Cut) -> Sums:
        return _share(
            any(article.same(given, _gold_indexes(gold, name)) for gold in article.facts[one.fact])
            for one in article.reached(cut.f1)
            if one.fact in article.facts and (given := _given(one, name)) is not None
        )

    return of


def _given(one: AlignedAssertion, name: str) -> int | None:
    if name == "by":
        return one.relation.by
    return one.relation.when.mention if one.relation.when else None


def _gold_indexes(relation: AnnotatedRelation, name: str) -> tuple[int, ...]:
    if name == "by":
        return relation.by
    return () if relation.when is None else (relation.when,)


def _asserted(article: ComparedArticle, cut: Cut) -> list[AlignedAssertion]:
    """What would stand in the graph: denied relations never do."""
    return [one for one in article.reached(cut.asserted) if one.relation.factuality != "denied"]


def _sensitive(article: ComparedArticle, cut: Cut) -> Sums:
    """A claim that gold only denies is wrong here: it does the harm for which the relation is called sensitive."""
    held = {fact for fact, found in article.facts.items() if any(one.factuality != "denied" for one in found)}
    facts = {one.fact for one in _asserted(article, cut) if RELATIONS[one.relation.key].sensitive}
    return _share(fact in held for fact in facts)


def _geography(article: ComparedArticle, cut: Cut) -> Sums:
    return _share(one.relation.key in GEOGRAPHY for one in _asserted(article, cut))


def _repeated(article: ComparedArticle, cut: Cut) -> Sums:
    asserted = _asserted(article, cut)
    return repeats(article.extraction, asserted), len(asserted)


def _f1(key: str, about: str, of: Callable[[ComparedArticle, Cut], Sums]) -> Measure:
    return Measure(key, about, F1_COLUMNS, of, f1_figure)


def _part(key: str, about: str, of: Callable[[ComparedArticle, Cut], Sums]) -> Measure:
    return Measure(key, about, SHARE_COLUMNS, of, share_figure)


MEASURES = (
    _f1("mentions", "F1 of mentions: span and type", _agreed("mentions")),
    _f1("names", "the same of names alone", _agreed("names")),
    _f1("entities", "F1 of entities in an article, B-cubed", _agreed("entities")),
    _part("pronouns", "pronouns that lead to the right entity", _references("pronoun")),
    _part("nominals", "nominals that lead to the right entity", _references("nominal")),
    _f1("relations", "F1 of relations by pair of entities, factuality apart", _facts),
    _f1("relations with factuality", "F1 of relations and their factuality", _qualified_facts),
    _part("precision", "precision at the thresholds", _precision),
    _part("recall", "recall at the thresholds", _recall),
    Measure(
        "factuality", "macro F1 of factuality, over right relations", CLASS_COLUMNS, _factualities, macro_f1_figure
    ),
    _part("by", "claimant right, where gold has one", _wanted("by")),
    _part("by given", "claimant right, where the reader gives one", _given_right("by")),
    _part("when", "time right, where gold has one", _wanted("when")),
    _part("when given", "time right, where the reader gives one", _given_right("when")),
    _part("sensitive", "precision of sensitive relations at the thresholds", _sensitive),
    _part("geography", "geography among assertions", _geography),
    _part("repeats", "assertions that repeat a pair and relation", _repeated),
)
