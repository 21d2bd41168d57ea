"""Texts that no newsroom writes: each is read or declined with its reason, and offsets point at the words shown."""

from __future__ import annotations

import dataclasses
from uuid import UUID

import pytest
import torch

from extraction.reader.load import reader_of
from extraction.reader.reader import Reader
from extraction.schema import Document
from extraction.text.cleaning import clean
from extraction.text.parser import Parser
from knowledge.recording.row_plan import plan
from tests.tiny import tiny_checkpoint

NEWS = "Ada Lovelace worked with Charles Babbage in London on the engine that he had planned for many years. "


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Random weights that find something everywhere."""
    parser = Parser.load()
    made = tiny_checkpoint(parser, seed=6)
    with torch.no_grad():
        made.network.get_parameter("relations.out.bias").fill_(1.0)
    return reader_of(dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, floor=0.3)), parser)


READ = {
    "one word": "Storm",
    "emoji": "🌪️ Ada Lovelace 👩🏽‍💻 met Charles Babbage 🇬🇧 in London with the engine that was planned. " * 3,
    "right to left": NEWS * 2
    + "\u202bAda Lovelace\u202c, whom they call עדה לאבלייס, met \u2067Charles Babbage\u2069 there.",
    "zero width": "A\u200bda Love\u200dlace\ufeff worked with Char\u2060les Babb\u00adage "
    "in the town of Lon\u200cdon for years.",
    "combining": "Z"
    + "\u0301" * 2000
    + "oe met Charles Babbage in London, and they were there for many years with him.",
    "no spaces": NEWS + "x" * 50_000 + " " + NEWS,
    "marks": NEWS + "!?." * 5_000 + " " + NEWS,
    "lines": "\n\r\u2028\x85".join(NEWS.split() * 3),
    "control": NEWS + "\x01\x1b[31mred\x07\x7f" + NEWS,
    "NUL and surrogates": clean(NEWS + "\0\ud800" + NEWS + "\ud83d\ude00"),
    "brackets": NEWS + "(" * 3000 + NEWS,
}
DECLINED = {
    "nothing": ("", "empty"),
    "white space": (" \n\t\u00a0\u2003 ", "empty"),
    "zero width alone": ("\u200b\u200d\ufeff", "empty"),
    "emoji alone": ("🌪️👩🏽‍💻🇬🇧" * 100, "empty"),
    "German": ("Der Sturm hat den Hafen von Hamburg gesperrt, sagte der Hafenmeister am Montag. " * 4, "language"),
    "Arabic": ("أغلقت عاصفة ميناء المدينة يوم الاثنين، كما قال مدير الميناء في بيان صحفي. " * 4, "language"),
    "Chinese": ("周一，一场风暴关闭了港口，九艘船只在锚地等待，港务局长说。" * 8, "language"),
    "200,000 words": ("word " * 200_000, "too_long"),
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_what_is_read_has_its_words_where_the_offsets_say(reader: Reader, text: str) -> None:
    [found] = reader.read([Document("1", text, min(5, len(text)))])
    assert found.declined is None and found.text == text
    assert found.mentions or NEWS not in text
    for mention in found.mentions:
        quote = text[mention.start : mention.end]
        assert quote.strip() == quote != ""
    planned = plan(found, post=UUID(int=1), ordinal=1, digest="d")
    spans = [(one.start, one.end) for one in planned.mentions]
    names = [" ".join(clean(text[start:end]).split()) for start, end in spans]
    assert names == [one.name for one in planned.mentions]


@pytest.mark.parametrize(("text", "code"), DECLINED.values(), ids=DECLINED)
def test_a_declined_text_has_a_reason(reader: Reader, text: str, code: str) -> None:
    [found] = reader.read([Document("1", text)])
    assert found.declined is not None and found.declined.code == code and found.declined.message.endswith(".")
    assert (found.mentions, found.relations) == ((), ())


def test_a_hostile_text_changes_nothing_for_its_neighbours(reader: Reader) -> None:
    alone = reader.read([Document("1", NEWS)])
    among = reader.read([Document(str(n), text) for n, text in enumerate([READ["combining"], NEWS, READ["marks"], ""])])
    assert [(m.start, m.end) for m in among[1].mentions] == [(m.start, m.end) for m in alone[0].mentions]
