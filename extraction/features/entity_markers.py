"""Entity markers: four added tokens around the head and the tail of a pair, [E1] head [/E1] and [E2] tail [/E2].

They are appended to a tokenizer's vocabulary and are never its own special tokens, which some encoders use for
sentences. They are inserted into the pieces of a sentence, which is tokenized once for all its pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tokenizers import AddedToken, Tokenizer

from extraction.features.featurizer import Features, Ints

MARKERS = ("[E1]", "[/E1]", "[E2]", "[/E2]")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """The positions of a pair in its row: pieces of the two start markers, first words, and the tail's region or -1."""

    head: int
    tail: int
    head_word: int
    tail_word: int
    region: int = -1


def add_markers(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids of the four markers, which are added to the tokenizer where it does not have them yet."""
    if any(tokenizer.token_to_id(marker) is None for marker in MARKERS):
        tokenizer.add_special_tokens([AddedToken(marker, special=True) for marker in MARKERS])
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    return tuple(vocabulary[marker] for marker in MARKERS)


def mark(
    features: Features, head: Span, tail: Span | None, ids: tuple[int, ...], region: int = -1
) -> tuple[Features, Place]:
    """The sentence with markers around these word spans (tail None: a region), and their positions.

    Spans may overlap; where two markers meet, the one that ends a mention comes first.
    """
    spans = [(head, ids[0], ids[1])] + ([(tail, ids[2], ids[3])] if tail is not None else [])
    inserted: list[tuple[int, int, int]] = []  # piece before which it goes, order at that piece, id
    for (start, end), opening, closing in spans:
        inserted.append((_start(features, start), 1, opening))
        inserted.append((_end(features, end - 1), 0, closing))
    inserted.sort(key=lambda one: one[:2])
    places = np.array([place for place, _, _ in inserted])
    marked = replace(
        features,
        ids=np.insert(features.ids, places, [marker for _, _, marker in inserted]),
        shapes=np.insert(features.shapes, places, 0),
        first=_shifted(features.first, places),
    )
    at = {marker: int(place) + number for number, (place, _, marker) in enumerate(inserted)}
    words = (head[0], tail[0] if tail is not None else 0)
    return marked, Place(at[ids[0]], at[ids[2]] if tail is not None else 0, *words, region)


def unmarked(features: Features, head: Span, tail: Span | None, region: int = -1) -> Place:
    """The place of a pair in a sentence without markers."""
    first = features.first
    words = (head[0], tail[0] if tail is not None else 0)
    return Place(int(first[head[0]]), int(first[tail[0]]) if tail is not None else 0, *words, region)


def _shifted(first: Ints, places: Ints) -> Ints:
    """Pieces of words behind a marker move; a word that has no piece still uses the first position."""
    return np.where(first > 0, first + np.searchsorted(places, first, side="right"), 0)


def _start(features: Features, word: int) -> int:
    """The first piece of a word, or of the next word that has one."""
    later = features.first[word:]
    later = later[later > 0]
    return int(later[0]) if len(later) else len(features.ids) - 1


def _end(features: Features, word: int) -> int:
    """The piece behind a word: the next word's first, or the mark that ends the sentence."""
    return _start(features, word + 1) if word + 1 < len(features) else len(features.ids) - 1
