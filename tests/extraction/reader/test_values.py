"""Times and sums of assertions are resolved, and a dateline takes part in nothing."""

from __future__ import annotations

from datetime import date

from extraction.reader.values import with_values
from extraction.schema import Amount, Document, ExtractedMention, Extraction, Relation, When

TEXT = "NAIROBI, Kenya (AP) — Northwind bought Southby for $3 million on Monday. Northwind began in 1998."
PUBLISHED = date(2014, 3, 5)  # a Wednesday


def mention(words: str, kind: str) -> ExtractedMention:
    start = TEXT.index(words)
    return ExtractedMention(start, start + len(words), kind)


MENTIONS = (
    mention("NAIROBI", "location"),
    mention("Kenya", "location"),
    mention("Northwind", "organization"),
    mention("Southby", "organization"),
    mention("$3 million", "number"),
    mention("Monday", "time"),
    mention("1998", "time"),
)


def resolved(*relations: Relation, published: date | None = PUBLISHED) -> tuple[Relation, ...]:
    document = Document("1", TEXT, published=published)
    return with_values(document, Extraction("1", TEXT, mentions=MENTIONS, relations=relations)).relations


def test_a_dateline_takes_part_in_nothing():
    assert resolved(Relation(0, 1, "located_in"), Relation(2, 0, "headquarters_location")) == ()
    assert len(resolved(Relation(2, 3, "acquired"))) == 1


def test_a_relative_time_is_resolved_against_the_day_of_publication():
    bought = Relation(2, 3, "acquired", when=When(5), amount=Amount(4))
    (found,) = resolved(bought)
    assert found.when == When(5, date(2014, 3, 3), date(2014, 3, 3))
    assert found.amount == Amount(4, 3_000_000.0, "USD")
    (planned,) = resolved(Relation(2, 3, "acquired", factuality="planned", when=When(5)))
    assert planned.when == When(5, date(2014, 3, 10), date(2014, 3, 10))
    (undated,) = resolved(bought, published=None)
    assert undated.when == When(5)


def test_a_relation_to_a_time_is_dated_by_it():
    (found,) = resolved(Relation(2, 6, "inception"))
    assert found.when == When(6, date(1998, 1, 1), date(1998, 12, 31))
