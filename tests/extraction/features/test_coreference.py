"""The features of two mentions for a scorer of coreference, and the pairs that it learns from."""

from __future__ import annotations

import numpy as np
import pytest

from extraction.features import coreference
from extraction.features.coreference import OWN_SIZES, SIZES, Referring, candidate_pairs, pair_features
from extraction.features.windows import Window
from extraction.labels import inventory
from extraction.schema import Example, WordSpan

WORDS = SIZES.index(8)


def mention(words: str, kind: str = "person", form: str = "name", sentence: int = 0, place: int = 0) -> Referring:
    return Referring(sentence, place, tuple(words.split()), kind, form)


def compared(earlier: Referring, later: Referring) -> list[int]:
    return pair_features([earlier, later], np.array([1]), np.array([0]))[0].tolist()


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Angela Merkel", "angela merkel", 1),
        ("Angela Merkel", "Merkel", 2),
        ("Bank of Canada", "the Bank", 3),
        ("European Union", "EU", 4),
        ("Russia", "Russian", 5),
        ("Supreme Court", "Appeals Court", 6),
        ("Ann Lee", "Lee Ann Womack", 3),
        ("Paris", "London", 0),
    ],
)
def test_names_are_compared_by_their_words(one, other, same):
    assert compared(mention(one), mention(other))[WORDS] == same == compared(mention(other), mention(one))[WORDS]


def test_pronouns_are_compared_by_what_they_may_stand_for():
    he = mention("He", form="pronoun", sentence=1)
    to_man, to_town = compared(mention("Ann"), he), compared(mention("Rome", "location"), he)
    assert to_man != to_town and to_man[WORDS] == 0
    assert compared(mention("she", form="pronoun"), he) != compared(mention("him", form="pronoun"), he)


def test_every_value_has_a_place_in_its_table():
    rng = np.random.default_rng(0)
    forms, kinds = list(coreference.FORMS), list(coreference.ENTITY_TYPES)
    words = ["he", "it", "Ann Lee", "EU", "the company", "most"]
    many = [
        mention(words[rng.integers(6)], kinds[rng.integers(9)], forms[rng.integers(3)], number // 3, number % 7)
        for number in range(400)
    ]
    anaphor, candidate = candidate_pairs(many)
    assert (np.diff(anaphor) >= 0).all()
    assert np.bincount(anaphor).max() <= coreference.MOST_CANDIDATES + coreference.NEXT_NAMES
    assert (pair_features(many, anaphor, candidate) < np.array(SIZES)).all()
    assert (coreference.own_features(many) < np.array(OWN_SIZES)).all()


def test_a_name_refers_to_names_before_it_and_a_pronoun_to_the_next_names_too():
    many = [mention("Ann"), mention("I", form="pronoun"), mention("Lee"), mention("he", form="pronoun"), mention("Bo")]
    pairs = sorted(zip(*(part.tolist() for part in candidate_pairs(many)), strict=True))
    assert pairs == [(1, 0), (1, 2), (1, 4), (2, 0), (3, 0), (3, 1), (3, 2), (3, 4), (4, 0), (4, 2)]
    features = pair_features(many, np.array([1, 1, 3]), np.array([2, 4, 2]))
    assert len(set(features[:, 0].tolist())) == 3


def test_a_quotation_goes_on_over_sentences_until_it_is_closed():
    sentences = [["“", "Go", "."], ["Now", "”", ",", "he", "said"], ['"', "No", '"', "he"]]
    assert coreference.quoted_words(sentences) == [
        [True, True, True],
        [True, False, False, False, False],
        [True, True, False, False],
    ]
    inside, outside = Referring(0, 0, ("I",), "person", "pronoun", True), mention("Ann")
    assert compared(outside, inside) != compared(outside, Referring(0, 0, ("I",), "person", "pronoun"))


def example(entities: str, document: str = "d", news: bool = True) -> Example:
    spans = tuple(WordSpan(place, place + 1, "person", "name", key) for place, key in enumerate(entities))
    return Example("1", "voa", tuple(entities), spans, document=document, news=news)


def test_candidates_are_those_of_the_same_window():
    batch = [example("ab"), example("ba"), example("a")]
    names = inventory(("voa",))
    found = coreference.coreference_targets(batch, names, [Window((0, 1)), Window((2,))])
    assert found is not None
    assert found.row.tolist() == [0, 0, 1, 1, 2] and found.first.tolist() == [0, 1, 0, 1, 0]
    pairs = list(zip(found.anaphor.tolist(), found.candidate.tolist(), found.same.tolist(), strict=True))
    assert pairs == [
        (1, 0, False),
        (2, 0, False),
        (2, 1, True),
        (3, 0, True),
        (3, 1, False),
        (3, 2, False),
    ]


def test_a_reader_of_names_and_other_data_sets_learn_no_coreference():
    assert coreference.coreference_targets([example("ab")], inventory(("conll04",)), []) is None
    assert coreference.coreference_targets([example("ab", news=False)], inventory(("voa",)), []) is None
