"""Thresholds for news: enough of what is asserted is right, and more of what harms people."""

from __future__ import annotations

from types import SimpleNamespace

from extraction.schema import Relation
from training.publishing.news_thresholds import ENOUGH, PRECISION, SENSITIVE_PRECISION, STEPS, news_thresholds


def article(*assertions: tuple[str, float, bool], factuality: str = "stated", gold: str = "stated") -> SimpleNamespace:
    """A compared article of as many facts: relation, score, whether it is right."""
    facts = [(key, f"head {place}", "tail") for place, (key, _, _) in enumerate(assertions)]
    right = {fact: [SimpleNamespace(factuality=gold)] for fact, one in zip(facts, assertions, strict=True) if one[2]}
    found = [
        SimpleNamespace(relation=Relation(0, 1, key, score, factuality=factuality), fact=fact)  # type: ignore[arg-type]
        for fact, (key, score, _) in zip(facts, assertions, strict=True)
    ]
    return SimpleNamespace(assertions=found, facts=right)


def chosen(*articles: SimpleNamespace):
    return news_thresholds(list(articles))  # type: ignore[arg-type]


def ramp(key: str, count: int = 50) -> list[tuple[str, float, bool]]:
    """From 0.7 on always right, below never."""
    return [(key, step / count, step / count >= 0.7) for step in range(count)]


def test_a_relation_with_enough_assertions_has_the_lowest_threshold_that_keeps_the_precision():
    made = chosen(article(*ramp("supports")))
    assert 0.5 < made.values["supports"] < 0.7 and made.precision >= PRECISION
    assert "met" not in made.values and made.values["default"] == made.values["supports"]


def test_what_harms_people_needs_more_and_has_it_without_examples_too():
    rows = [(key, score, right) for key, score, right in ramp("supports", 200)]
    rows += [("killed", score, right) for _, score, right in ramp("killed", 200)]
    made = chosen(article(*rows))
    assert made.values["killed"] > made.values["supports"]
    assert made.values["sued"] > made.values["default"]
    selected = [right for key, score, right in rows if key == "killed" and score >= made.values["killed"]]
    assert sum(selected) / len(selected) >= SENSITIVE_PRECISION - 0.02


def test_a_few_lucky_assertions_lower_no_threshold():
    wrong = [("supports", score / 100, False) for score in range(20, 95)]
    few = [("met", 0.4, True)] * (ENOUGH - 1)
    made = chosen(article(*wrong, *few))
    assert "met" not in made.values and made.values["default"] == STEPS[-1]


def test_what_is_denied_is_no_assertion_and_no_support_of_one():
    assert chosen(article(*ramp("met"), factuality="denied")).recall == 0.0
    assert chosen(article(*ramp("met"), gold="denied")).precision == 0.0
