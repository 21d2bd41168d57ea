"""Neighbouring sentences that an encoder reads together, so that each is read with what stands before and after it.

A window is a run of sentences of one text, with the text's title before them unless it is the first of them. The
encoder takes a window's pieces as one sequence; everything after it takes the sentences, as it does without windows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from extraction.features.batch import Batch
from extraction.features.featurizer import Features

TITLE_PIECES = 24  # of the title that a window begins with


@dataclass(frozen=True, slots=True)
class Window:
    """The places of a window's sentences in a batch, and the title that stands before them."""

    sentences: tuple[int, ...]
    title: Features | None = None


def windows_of(texts: Sequence[Hashable], pieces: Sequence[int], limit: int, first: int = 0) -> list[list[int]]:
    """Runs of neighbouring places of one text, each of at most `limit` word pieces or one sentence long.

    `texts[i]` and `pieces[i]` are the text and the size of place i. `first`: the limit of each text's first window,
    where it is another; training varies it, so that a sentence is seen with different neighbours.
    """
    runs: list[list[int]] = []
    size = 0
    for place, text in enumerate(texts):
        own = max(1, pieces[place] - 2)
        begun = bool(runs) and texts[runs[-1][-1]] == text
        opening = begun and (len(runs) < 2 or texts[runs[-2][-1]] != text)
        room = first if opening and first else limit
        if begun and size + own <= room - TITLE_PIECES - 3:
            runs[-1].append(place)
            size += own
        else:
            runs.append([place])
            size = own
    return runs


def in_windows(batch: Batch, features: Sequence[Features], windows: Sequence[Window]) -> Batch:
    """The batch of these sentences, without context of their own, with its encoder's input as windows.

    Every sentence lies in exactly one window. Pieces become (W, L); `window` (B,) is each sentence's row of them.
    """
    parts = [_joined(features, one) for one in windows]
    longest = max(len(ids) for ids, _, _ in parts)
    ids, shapes = np.zeros((2, len(windows), longest), np.int64)
    first, row_of = np.zeros_like(batch.first.numpy()), np.zeros(len(features), np.int64)
    for row, (window, (own, forms, starts)) in enumerate(zip(windows, parts, strict=True)):
        ids[row, : len(own)], shapes[row, : len(own)] = own, forms
        for sentence, start in zip(window.sentences, starts, strict=True):
            # A word that the tokenizer drops uses the sequence's first position, here as there.
            places = features[sentence].first
            first[sentence, : len(places)] = np.where(places > 0, places - 1 + start, 0)
            row_of[sentence] = row
    lengths = np.array([len(own) for own, _, _ in parts])
    return replace(
        batch,
        ids=torch.from_numpy(ids),
        shapes=torch.from_numpy(shapes),
        pieces=torch.from_numpy(np.arange(longest) < lengths[:, None]),
        first=torch.from_numpy(first),
        window=torch.from_numpy(row_of),
    )


def _joined(features: Sequence[Features], window: Window) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """A window's pieces and their shapes, and where each sentence's first piece stands."""
    own = features[window.sentences[0]]
    opening, closing = own.ids[:1], own.ids[-1:]
    ids, shapes = [opening], [own.shapes[:1]]
    if window.title is not None:
        inside = slice(1, min(len(window.title.ids) - 1, 1 + TITLE_PIECES))
        ids += [window.title.ids[inside], closing]
        shapes += [window.title.shapes[inside], own.shapes[-1:]]
    starts, place = [], sum(map(len, ids))
    for sentence in window.sentences:
        one = features[sentence]
        ids.append(one.ids[1:-1])
        shapes.append(one.shapes[1:-1])
        starts.append(place)
        place += len(one.ids) - 2
    return np.concatenate([*ids, closing]), np.concatenate([*shapes, own.shapes[-1:]]), starts
