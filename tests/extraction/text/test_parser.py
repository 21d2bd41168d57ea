"""Sentences, words and trees of the shipped parser, cleaning, windows, language."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extraction.schema import Words
from extraction.text.cleaning import clean
from extraction.text.language import detect_language
from extraction.text.parser import UPOS, Parser, ParserMissing, windows
from extraction.text.sentence_bounds import starts


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


def sentences(parser: Parser, text: str) -> list[str]:
    return [text[words.spans[0][0] : words.spans[-1][1]] for words in parser.parse_texts([text])[0]]


ARTICLE = (
    "Chip maker opens plant in Dresden\n\n"
    "U.S. officials met Mr. Smith in St. Louis on Jan. 6. The talks lasted three hours.\n"
    "The company (it was founded in 1987. It moved in 1999.) hired 400 people. “We are glad,” said Dr. Jones.\n\n"
    "- Berlin: 12 million\n- Paris: 9 million"
)


def test_news_is_cut_into_sentences_at_the_right_places(parser: Parser) -> None:
    assert sentences(parser, ARTICLE) == [
        "Chip maker opens plant in Dresden",
        "U.S. officials met Mr. Smith in St. Louis on Jan. 6.",
        "The talks lasted three hours.",
        "The company (it was founded in 1987. It moved in 1999.) hired 400 people.",
        "“We are glad,” said Dr. Jones.",
        "- Berlin: 12 million",
        "- Paris: 9 million",
    ]


def test_spans_count_code_points_of_the_text_and_words_hold_no_space(parser: Parser) -> None:
    text = "😀  Ana met\tBob\u00a0in Rome.\r\n\r\n  It rained.\u2028End \ud800 here.\0"
    for words in parser.parse_texts([text])[0]:
        for (start, end), word in zip(words.spans, words.words, strict=True):
            assert text[start:end].replace("\ud800", "\ufffd") == word
            assert not any(letter.isspace() for letter in word)


def test_every_text_has_its_own_list_also_when_it_is_empty(parser: Parser) -> None:
    parsed = parser.parse_texts(["", "One here. Two here.", " \n\t\n", "Three."])
    assert [len(found) for found in parsed] == [0, 2, 0, 1]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_covered_once_and_in_order(parser: Parser, text: str) -> None:
    places = [span for words in parser.parse_texts([text])[0] for span in words.spans]
    assert all(start < end for start, end in places)
    assert all(before[1] <= after[0] for before, after in pairwise(places))
    covered = "".join(text[start:end] for start, end in places)
    assert [c for c in covered if not c.isspace()] == [c for c in text if not c.isspace() and c not in "\x1c\x1d\x1e"]


def test_each_sentence_is_a_tree_with_known_labels(parser: Parser) -> None:
    for words in parser.parse_texts([ARTICLE])[0]:
        assert len(words.words) == len(words.spans) == len(words.tags) == len(words.heads) == len(words.deps)
        assert set(words.tags) <= set(parser.pos_labels)
        assert set(words.deps) <= set(parser.dep_labels)
        for place in range(len(words.words)):
            seen: set[int] = set()
            while words.heads[place] != place:
                assert place not in seen
                seen.add(place)
                place = words.heads[place]


def test_a_plain_sentence_is_parsed_as_universal_dependencies_say(parser: Parser) -> None:
    (words,) = parser.parse_texts(["The minister visited Berlin in May."])[0]
    assert words.tags == ("DET", "NOUN", "VERB", "PROPN", "ADP", "PROPN", "PUNCT")
    assert words.heads == (1, 2, 2, 2, 5, 2, 2)
    assert words.deps == ("det", "nsubj", "root", "obj", "case", "obl", "punct")


def test_words_given_are_kept_as_they_are_and_as_one_sentence(parser: Parser) -> None:
    given_words = [["He", "left", ".", "She", "stayed", "."], [], ["do n't", "U.S."], ["odd\ud800"]]
    parsed = parser.parse_words(given_words)
    assert [list(words.words) for words in parsed] == given_words
    assert parsed[0].spans[3] == (10, 13)
    assert all(0 <= head < 6 for head in parsed[0].heads)


def test_a_text_parses_the_same_alone_and_among_others(parser: Parser) -> None:
    other = ["Rain fell. Wind blew."] * 300
    assert parser.parse_texts([*other, ARTICLE, *other])[300] == parser.parse_texts([ARTICLE])[0]


def test_past_a_number_words_are_forgotten_and_parse_the_same(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    before = parser.parse_texts([ARTICLE])
    monkeypatch.setattr("extraction.text.parser.REMEMBERED", 10)
    known = len(parser._nlp.vocab.strings)
    parser.parse_texts([" ".join(f"qzx{number}" for number in range(500))])
    parser.parse_words([[f"zqx{number}" for number in range(500)]])
    assert len(parser._nlp.vocab.strings) < known + 10
    assert parser.parse_texts([ARTICLE]) == before


def test_a_line_over_the_limit_loses_nothing(parser: Parser) -> None:
    text = "(" * 3_000 + " word" * 5_000 + "\u00a0w" * 11_000
    found = [span for words in parser.parse_texts([text])[0] for span in words.spans]
    assert "".join(text[start:end] for start, end in found) == "(" * 3_000 + "word" * 5_000 + "w" * 11_000


def test_labels_and_version_are_those_a_checkpoint_can_rely_on(parser: Parser) -> None:
    again = Parser.load()
    assert (again.version, again.pos_labels, again.dep_labels) == (parser.version, UPOS, parser.dep_labels)
    assert parser.version.startswith("en_kgbuilder_ud 1.")
    assert {"nsubj", "obj", "nmod:poss", "conj"} < set(parser.dep_labels)
    assert not any("||" in label for label in parser.dep_labels)


def test_a_parser_that_is_not_there_gets_a_sentence(tmp_path: object) -> None:
    with pytest.raises(ParserMissing, match=r"cannot be loaded .* Name an installed spaCy pipeline"):
        Parser.load(f"{tmp_path}/nothing")


def test_a_pipeline_without_tagger_or_parser_still_gives_sentences(tmp_path: object) -> None:
    import spacy

    spacy.blank("en").to_disk(f"{tmp_path}/blank")
    bare = Parser.load(f"{tmp_path}/blank")
    first, second = bare.parse_texts(["Ana sings. Bob plays."])[0]
    assert (first.words, first.tags, first.heads, first.deps) == (
        ("Ana", "sings", "."), ("X", "X", "X"), (0, 1, 2), ("dep", "dep", "dep"),
    )  # fmt: skip
    assert second.words == ("Bob", "plays", ".")


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("He left_. She stayed_.", "+--?--"),
        ("Mr. Smith left", "+--"),
        ("on Jan. 6 in May", "+----"),
        ("in Jan. He left", "+-?-"),
        ("the_ No_. 1 reason", "+----"),
        ("the U.S. Officials said", "+-?-"),
        ("Go (_now_. Or never_._) please", "+--------"),
        ("“_Yes_._” He left", "+---+-"),
        ("said_. “_Yes", "+-+-"),
        ('said_. "_Yes_._" He', "+-+---+"),
        ('said_. "_Yes_._" he', "+-+----"),
        ("a (_b_. C", "+---?"),
        ("Why_?_! Nothing", "+--?"),
        ("Note_: This", "+--"),
        ("1_. Add salt", "+---"),
        ("“_Stop_!_” She left", "+---?-"),
        ("Gov. McDonnell met Sens_. Smith", "+-----"),
        ("Lt_. Gov. Holm", "+---"),
        ("ST_. LOUIS_, MO_. — He", "+-------"),
        ("works for Acme Inc. and", "+----"),
        ("of Acme Inc. He left", "+--?-"),
        ("J. K. Rowling", "+--"),
        ("George W. Bush", "+--"),
        ("chose plan B. The army", "+--?-"),
        ("in Group A. Germany won", "+--?-"),
        ("left George W. He", "+--?"),
        ("at 4 a.m. Monday", "+---"),
        ("at 10:30 p.m. GMT", "+---"),
        ("at 4 p.m. He left", "+--?-"),
        ("10.35am The minister left", "++--"),
        ("17:02 GMT_: The minister", "+--+-"),
        ("17:02 — “_We left", "+-+--"),
        ("4_pm_: England win", "+--+-"),
        ("It ended_. 10.41am Labour says", "+--++-"),
        ("10.35am Monday in Paris", "+---"),
        ("2.50 - The price", "+---"),
        ("5 People left", "+--"),
        ("10.35am", "+"),
    ],
)
def test_where_a_sentence_may_start(text: str, bounds: str) -> None:
    """`_` joins words that stand together without a space."""
    words = re.findall(r"[^ _]+", text)
    spaces = [mark == " " for mark in re.findall(r"[ _]+", text)] + [False]
    marks = "".join("?+-"[start or 0] for start in starts(words, spaces))
    assert len(words) == len(spaces) and marks == bounds


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_a_paragraph_of_broken_lines_is_read_as_one_of_a_line(parser: Parser, end: str) -> None:
    """Words and trees are the same, and each word's place is where it stands in the text as given."""
    text = (
        "The prize went to Marie Curie, who was born in Warsaw and taught at the University of Paris. Her husband was "
        "Pierre Curie, and Gov. Anna Holm of the U.S. state of Ohio knew them."
    )
    folded = end.join(textwrap.wrap(text, 30))
    found, expected = parser.parse_texts([folded, text])
    assert [(one.words, one.tags, one.heads, one.deps) for one in found] == [
        (one.words, one.tags, one.heads, one.deps) for one in expected
    ]
    for one in found:
        assert tuple(folded[start:end] for start, end in one.spans) == one.words


def test_a_live_blog_keeps_its_times_apart_from_its_sentences(parser: Parser) -> None:
    text = "10.35am\nThe minister resigned at 10 a.m. Monday.\n17:02 GMT: Labour asks for an election."
    assert sentences(parser, text) == [
        "10.35am",
        "The minister resigned at 10 a.m. Monday.",
        "17:02 GMT:",
        "Labour asks for an election.",
    ]


def test_clean_removes_what_a_database_refuses_and_what_nobody_sees() -> None:
    assert clean("a\0b\ud800c\udc00") == "abc"
    assert clean("\ud83d\ude00 ok") == "😀 ok"
    assert clean("a\u200bb\u00adc\ufeff") == "abc"
    untouched = "e\u0301 \u00e9 \ufb01 \u200d\u200c\r\n\t 😀"
    assert clean(untouched) == untouched


@given(st.text(st.characters(categories=None), max_size=80))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    once.encode("utf-8")
    assert "\0" not in once


def _chain(length: int) -> Words:
    places = range(length)
    spans = tuple((2 * place, 2 * place + 1) for place in places)
    heads = tuple(max(0, place - 1) for place in places)
    return Words(spans, tuple("abcdefghij"[:length]), ("X",) * length, heads, ("dep",) * length)


def test_windows_cover_a_long_sentence_and_share_words() -> None:
    parts = windows(_chain(10), 4, 1)
    assert ["".join(part.words) for part in parts] == ["abcd", "defg", "ghij"]
    assert [part.heads for part in parts] == [(0, 0, 1, 2)] * 3
    assert parts[1].spans == ((6, 7), (8, 9), (10, 11), (12, 13))
    assert windows(_chain(4), 4, 1) == [_chain(4)]
    assert ["".join(part.words) for part in windows(_chain(5), 4, 2)] == ["abcd", "cde"]
    with pytest.raises(ValueError, match="overlap of 4"):
        windows(_chain(5), 4, 4)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The parliament voted on Tuesday to raise the tax on fuel.", "en"),
        ("Bundesregierung beschließt nach langem Streit ein neues Gesetz zur Reform der Steuern", "de"),
        ("Le président français a rencontré la chancelière allemande à Paris lundi", "fr"),
        ("Президент приехал в Москву", "ru"),
        ("首相は東京で記者会見を開いた", "ja"),
        ("Apple unveils iPhone", ""),
        ("Macron, Merkel, Conte", ""),
        ("She won the Prix Goncourt for La Vie mode d'emploi and the Prix Médicis from the jury in Paris", "en"),
        ("", ""),
        ("12:30 — 14:00 😀", ""),
    ],
)
def test_language_is_detected_only_with_confidence(text: str, language: str) -> None:
    found, score = detect_language(text)
    assert found == language or (language == "en" and found == "")
    assert 0 <= score <= 1


def test_importing_the_module_loads_neither_spacy_nor_torch() -> None:
    code = "import sys, extraction.text.parser\n"
    code += "print([m for m in ('spacy', 'torch', 'numpy', 'django') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
