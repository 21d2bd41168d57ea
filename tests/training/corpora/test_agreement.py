"""Agreement and counts on annotations small enough to compute by hand."""

import pytest

from extraction.datasets.annotation import AnnotatedEntity, AnnotatedMention, AnnotatedRelation, Annotation
from training.corpora.agreement import agreement, format_agreement, match_entities
from training.corpora.statistics import count, format_counts

#       0    5    10   15   20
TEXT = "Ann. Bob. She. Mia."


def annotated(entities, mentions, relations=()):
    return Annotation("a", None, tuple(entities), tuple(mentions), tuple(relations), text=TEXT)


ANN, BOB, MIA = (0, 3), (5, 8), (15, 18)
SHE = (10, 13)

FIRST = annotated(
    [
        AnnotatedEntity("ann", "person", "Ann"),
        AnnotatedEntity("bob", "person", "Bob"),
        AnnotatedEntity("mia", "person", "Mia"),
    ],
    [
        AnnotatedMention(*ANN, "ann", "name"),
        AnnotatedMention(*BOB, "bob", "name"),
        AnnotatedMention(*SHE, "ann", "pronoun"),
        AnnotatedMention(*MIA, "mia", "name"),
    ],
    [
        AnnotatedRelation(0, "met", 1),
        AnnotatedRelation(1, "succeeds", 2, "planned"),
        AnnotatedRelation(3, "sibling", 0),
    ],
)

# Mia is an organization here, and “She” is hers; the keys are others, and `ann` is a trap.
SECOND = annotated(
    [
        AnnotatedEntity("x", "person", "Ann"),
        AnnotatedEntity("ann", "person", "Bob"),
        AnnotatedEntity("z", "organization", "Mia"),
    ],
    [
        AnnotatedMention(*ANN, "x", "name"),
        AnnotatedMention(*BOB, "ann", "name"),
        AnnotatedMention(*SHE, "z", "pronoun"),
        AnnotatedMention(*MIA, "z", "name"),
    ],
    [AnnotatedRelation(1, "met", 0), AnnotatedRelation(1, "succeeds", 0), AnnotatedRelation(3, "accuses", 1)],
)


def test_entities_are_matched_by_the_mentions_that_overlap():
    assert match_entities(FIRST, SECOND) == {"ann": "x", "bob": "ann", "mia": "z"}


def test_agreement_equals_the_value_computed_by_hand():
    result = agreement([FIRST], [SECOND])
    # Ann and Bob of four: “She” is of a person and of an organization, Mia of both.
    assert result.f1("mentions") == pytest.approx(2 / 4)
    assert result.f1("names") == pytest.approx(2 / 3)
    # Shares of the first: Ann 1/2, Bob 1, She 0 + itself 1/2, Mia 1; of the second: Ann 1, Bob 1, She 1/2, Mia 1/2.
    assert result.f1("entities") == pytest.approx(3 / 4)
    # Met either way round, and succeeds; sibling and accuses are in one alone.
    assert result.f1("relations") == pytest.approx(2 / 3)
    assert result.f1("assertions") == pytest.approx(1 / 3)
    # The pair of Ann and Bob; Mia with Ann, and Mia with Bob.
    assert result.f1("pairs") == pytest.approx(1 / 2)


def test_equal_annotations_agree_wholly_and_empty_ones_have_no_figure():
    assert {agreement([FIRST], [FIRST]).f1(name) for name in ("mentions", "entities", "assertions")} == {1.0}
    bare = annotated([], [])
    assert agreement([bare], [bare]).f1("relations") is None
    assert agreement([FIRST], [bare]).f1("relations") == 0.0


def test_keys_of_the_other_are_no_match_where_no_mention_overlaps():
    lonely = annotated(
        [AnnotatedEntity("x", "person", "A"), AnnotatedEntity("y", "person", "B")],
        [AnnotatedMention(3, 4, "x", "name"), AnnotatedMention(8, 9, "y", "name")],
        [AnnotatedRelation(0, "met", 1)],
    )
    other = annotated(
        [AnnotatedEntity("x", "person", "A"), AnnotatedEntity("y", "person", "B")],
        [AnnotatedMention(*ANN, "x", "name"), AnnotatedMention(*BOB, "y", "name")],
        [AnnotatedRelation(0, "met", 1)],
    )
    assert agreement([lonely], [other]).f1("relations") == 0.0


def test_only_items_of_both_are_compared():
    assert agreement([FIRST], []).items == 0
    assert "1 items that both annotate" in format_agreement(agreement([FIRST], [SECOND]))


def test_counts_by_type_form_and_factuality():
    counts = count([FIRST, SECOND], {})
    assert (counts.items, counts.words) == (2, 8)
    assert counts.entities == {"person": 5, "organization": 1}
    assert counts.mentions["person", "pronoun"] == 1 and counts.mentions["organization", "pronoun"] == 1
    assert counts.relations["succeeds", "planned"] == 1 and counts.relations["met", "stated"] == 2
    assert [line.split() for line in format_counts(counts).splitlines()][-1] == ["together", "6", "5", "1", "0", "0"]
