"""Line ends within sentences: joined in texts of broken lines, kept everywhere else; no offset changes."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.text.line_joins import join_lines

PARAGRAPHS = (
    "The harbour of Kollerup was closed on Friday after a storm sank three boats, Gov. Anna Lindqvist said. Nobody was "
    "hurt. The council of the town met Lt. Gov. Per Holm and asked him for help with the repair of the mole.",
    "Mr. Holm, who was born in the U.S. and studied in Lund, promised money from the fund that J. K. Marsh left to the "
    "coast. Ferries to Odden run again from Monday, the company that owns them said.",
)


def lines(text: str) -> list[str]:
    """What stays on lines of its own, with single spaces."""
    joined = join_lines(text)
    assert len(joined) == len(text) and joined.split() == text.split()
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("width", [30, 40, 60, 72, 100])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_paragraph_broken_at_a_fixed_width_is_one_but_where_sentences_end(width: int, end: str) -> None:
    text = (2 * end).join(end.join(textwrap.wrap(paragraph, width)) for paragraph in PARAGRAPHS)
    found = lines(text)
    assert " ".join(found) == " ".join(PARAGRAPHS)
    assert all(line[-1] == "." and not line.endswith(("Gov.", "Mr.", "K.", "U.S.")) for line in found)


def test_a_name_broken_over_lines_is_one() -> None:
    text = (
        "The prize went to Marie\nCurie, who was born in\nWarsaw and taught at the\nUniversity of Paris. Her\n"
        "husband was Pierre\nCurie."
    )
    assert lines(text) == [" ".join(text.split())]


def test_a_single_broken_sentence_is_joined_by_its_own_signs() -> None:
    assert lines("Rain fell on Sunday, the\nmayor said.\nShops stayed open.") == [
        "Rain fell on Sunday, the mayor said.",
        "Shops stayed open.",
    ]
    assert lines("The president flew on Tuesday to\nVienna for talks.") == [
        "The president flew on Tuesday to Vienna for talks."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Storm closes harbour\n\nthe town said on Friday that it would open again.",
        "Storm closes harbour\nThe town of Kollerup will open it again on Monday, its council said on Friday.",
        "Rain fell.\nthe mayor said so.",
        "- Berlin: 12 million\n- Paris: 9 million\n- Rome: 4 million",
        "1. butter\n2. flour\n3. salt",
        "The Guardian\nThe Times\nThe Independent\nThe Sun\nThe Star",
        "Winners\nAnna Lindqvist, Sweden\nPer Holm, Denmark\nJ. K. Marsh, Britain",
        "10.35am\nThe minister has resigned, his office says.\n10.41am\nLabour asks for an election.",
        "the talks went on until\n10.41am\nLabour asks for an election.",
        "KOLLERUP —\nThree boats sank in a storm on Friday, the council of the town said. Nobody was hurt.",
        "FILE - Boats in the harbour of Kollerup, Denmark\nThe council met on Friday.\nA storm is expected",
    ],
)
def test_line_ends_that_mean_something_stay(text: str) -> None:
    assert join_lines(text) == text


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\n\n", "\n \n", "\n\r", "\v", "\f"])
def test_other_separators_always_end_a_line(separator: str) -> None:
    text = f"Rain fell on the{separator}town of Kollerup"
    assert join_lines(text) == text


@pytest.mark.parametrize(
    "text", ["a\n" * 50_000, "\n" * 400_000, "A.A" * 100_000 + "\nb", "x. " * 100_000 + "\nb", "…)" * 9**5]
)
def test_long_texts_keep_their_length(text: str) -> None:
    assert len(join_lines(text)) == len(text)


@given(st.text(alphabet="aB .,-—\n\r\u2028 1", max_size=120) | st.text(max_size=120))
def test_only_line_ends_change_and_only_to_spaces(text: str) -> None:
    changed = {(before, after) for before, after in zip(text, join_lines(text), strict=True) if before != after}
    assert changed <= {("\n", " "), ("\r", " ")}
