"""An extractor that is a pure function of the text: for tests of the record, the graph and the processes.

Runs of capitalised words are mentions, their types drawn by a hash of the words; each mention and the next one in the
same line stand in a relation drawn by a hash of what lies between them. Same text, same answer, in any process.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from extraction.schema import Declined, Document, ExtractedMention, Extraction, Relation

NAME = re.compile(r"[^\W\d_a-z][\w'’-]*(?: [^\W\d_a-z][\w'’-]*)*")
TYPES = ("person", "organization", "location", "miscellaneous")
RELATIONS = ("spouse", "employer", "located_in", "member_of", "place_of_birth", "sibling")


class Extractor:
    """Has the shape of `extraction.reader.reader.Reader`."""

    name = "deterministic"
    digest = hashlib.sha256(b"deterministic").hexdigest()
    floor = 0.05

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @classmethod
    def load(cls, path: Path | str | None = None, device: str = "cpu", parser: Any = None) -> Extractor:
        return cls()

    @property
    def thresholds(self) -> dict[str, float]:
        return {"default": 0.5}

    def threshold(self, key: str) -> float:
        return 0.5

    def read(self, documents: Sequence[Document]) -> list[Extraction]:
        return [_read(document) for document in documents]


class Slow(Extractor):
    """Takes as long for a batch as a network might: BATCH_SECONDS, without using the processor."""

    def read(self, documents: Sequence[Document]) -> list[Extraction]:
        time.sleep(float(os.environ.get("BATCH_SECONDS", "0.05")))
        return super().read(documents)


def _read(document: Document) -> Extraction:
    text = document.text
    if not text.strip():
        return Extraction(document.id, text, declined=Declined("empty", "This text is empty."))
    mentions: list[ExtractedMention] = []
    relations: list[Relation] = []
    for line in re.finditer(r".+", text):
        first = len(mentions)
        for found in NAME.finditer(text, line.start(), line.end()):
            number = _number(found.group())
            mentions.append(ExtractedMention(*found.span(), TYPES[number % len(TYPES)], 0.5 + number % 50 / 100))
        for place in range(first, len(mentions) - 1):
            between = _number(text[mentions[place].end : mentions[place + 1].start])
            key, score = RELATIONS[between % len(RELATIONS)], 0.3 + between % 70 / 100
            relations.append(Relation(place, place + 1, key, score))
    return Extraction(document.id, text, "en", tuple(mentions), tuple(relations))


def _number(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()[:4], "big")
