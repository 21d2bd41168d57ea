"""What a scorer of coreference is told of two mentions of one text, beside their words' states; and its targets.

A mention's candidates are the mentions before it. What a pair is told are indexes into tables of embeddings: how far
the two are apart, how their words compare, their forms and types, and which pronoun the later one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from extraction.features.windows import Window
from extraction.labels import ENTITY_TYPES, Inventory
from extraction.schema import FORMS, Example

MOST_CANDIDATES = 250  # of a mention: the nearest ones
FEW_LETTERS = 4  # that a demonym and its country begin with: "Russia" and "Russian"

# Pronouns by what they may stand for.
_PRONOUNS = {
    "he": "he him his himself",
    "she": "she her hers herself",
    "it": "it its itself",
    "they": "they them their theirs themselves",
    "i": "i me my mine myself",
    "we": "we us our ours ourselves",
    "you": "you your yours yourself",
    "who": "who whom whose",
    "which": "which that where when",
    "this": "this these those here there",
    "both": "both all each some others another one many",
}
PRONOUN_CLASSES = ("", *_PRONOUNS, "other")
_CLASS_OF = {word: place for place, words in enumerate(_PRONOUNS.values(), 1) for word in words.split()}
_DISTANCES = np.array([1, 2, 3, 4, 5, 8, 16, 32, 64])
_SENTENCES = np.array([0, 1, 2, 3, 4, 5, 8, 16])
_TYPES = {key: place for place, key in enumerate(ENTITY_TYPES)}
_LITTLE = frozenset({"the", "of", "a", "an", "and", "for", "'s", "’s"})

# The number of values of each feature, in the order of `pair_features`.
SIZES = (
    len(_DISTANCES) + 1,
    len(_SENTENCES) + 1,
    8,  # how the words compare
    len(FORMS) ** 2,
    1 + len(_TYPES),
    len(PRONOUN_CLASSES),
    4,  # whether both are the same pronoun
    len(PRONOUN_CLASSES) * len(_TYPES),
    8,  # the earlier one's place in its sentence
)
OWN_SIZES = (len(FORMS), len(PRONOUN_CLASSES), len(_TYPES))


@dataclass(frozen=True, slots=True)
class Referring:
    """A mention in its text: the number of its sentence, its place among that sentence's mentions, and its words."""

    sentence: int
    place: int
    words: tuple[str, ...]
    type: str
    form: str


@dataclass(frozen=True)
class CoreferenceTargets:
    """Mentions of a batch, and for each its candidates: pairs of mentions before it in the same window or text."""

    row: Tensor  # (M,) the sentence's row in the batch
    first: Tensor  # (M,) first word
    last: Tensor  # (M,) last word
    own: Tensor  # (M, len(OWN_SIZES)) features of the mention alone
    later: Tensor  # (P,) index of the mention whose candidate this is; ascending
    earlier: Tensor  # (P,) index of the candidate
    features: Tensor  # (P, len(SIZES))
    same: Tensor  # (P,) bool: both refer to one entity


def candidate_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(later, earlier) of all candidates of `count` mentions in the order of the text, ordered by the later one."""
    later, earlier = np.tril_indices(count, -1)
    near = later - earlier <= MOST_CANDIDATES
    return later[near], earlier[near]


def own_features(mentions: Sequence[Referring]) -> np.ndarray:
    """(mentions, len(OWN_SIZES))."""
    rows = [(FORMS.index(one.form), _pronoun(one), _TYPES.get(one.type, 0)) for one in mentions]
    return np.array(rows, np.int64).reshape(-1, len(OWN_SIZES))


def pair_features(mentions: Sequence[Referring], later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """(pairs, len(SIZES)) of mentions in the order of the text."""
    if not len(later):
        return np.zeros((0, len(SIZES)), np.int64)
    own = own_features(mentions)
    forms, pronouns, types = own.T
    sentence = np.array([one.sentence for one in mentions])
    place = np.minimum([one.place for one in mentions], 3)
    apart = sentence[later] - sentence[earlier]
    same_type = types[later] == types[earlier]
    both = (pronouns[later] > 0) & (pronouns[earlier] > 0)
    alike = np.where(both, np.where(pronouns[later] == pronouns[earlier], 1, 2), np.where(pronouns[earlier] > 0, 3, 0))
    return np.stack(
        [
            np.searchsorted(_DISTANCES, later - earlier, "right"),
            np.searchsorted(_SENTENCES, apart, "right"),
            _words(mentions, later, earlier),
            forms[later] * len(FORMS) + forms[earlier],
            np.where(same_type, 1 + types[later], 0),
            pronouns[later],
            alike,
            pronouns[later] * len(_TYPES) + types[earlier],
            place[earlier] + 4 * (apart == 0),
        ],
        axis=1,
    )


def _pronoun(mention: Referring) -> int:
    if mention.form != "pronoun":
        return 0
    return _CLASS_OF.get(mention.words[0].casefold(), len(PRONOUN_CLASSES) - 1)


def _words(mentions: Sequence[Referring], later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """How the words of names and nominals compare; 0 where nothing is common or one is a pronoun."""
    folded = [tuple(word.casefold() for word in one.words if word.casefold() not in _LITTLE) for one in mentions]
    acronyms = ["".join(word[0] for word in one.words if word[:1].isupper()) for one in mentions]
    keys = [(words, form) for words, form in zip(folded, (one.form for one in mentions), strict=True)]
    known: dict[tuple[int, int], int] = {}
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    numbers = [number[key] for key in keys]
    result = np.zeros(len(later), np.int64)
    for index, (one, other) in enumerate(zip(later.tolist(), earlier.tolist(), strict=True)):
        pair = (numbers[one], numbers[other])
        if pair not in known:
            known[pair] = _compared(mentions, folded, acronyms, one, other)
        result[index] = known[pair]
    return result


def _compared(
    mentions: Sequence[Referring], folded: Sequence[tuple[str, ...]], acronyms: Sequence[str], one: int, other: int
) -> int:
    if "pronoun" in (mentions[one].form, mentions[other].form) or not folded[one] or not folded[other]:
        return 0
    if folded[one] == folded[other]:
        return 1
    mine, theirs = set(folded[one]), set(folded[other])
    if mine <= theirs or theirs <= mine:
        return 2 if folded[one][-1] == folded[other][-1] else 3
    short, long = sorted((one, other), key=lambda place: len(folded[place]))
    name = "".join(mentions[short].words).replace(".", "")
    if len(folded[short]) == 1 and len(folded[long]) > 1 and len(name) > 1 and name == acronyms[long]:
        return 4
    begun = folded[one][0][:FEW_LETTERS] == folded[other][0][:FEW_LETTERS] and len(folded[one]) == len(folded[other])
    if begun and min(len(folded[one][0]), len(folded[other][0])) >= FEW_LETTERS:
        return 5
    if folded[one][-1] == folded[other][-1]:
        return 6
    return 7 if mine & theirs else 0


def coreference_targets(
    examples: Sequence[Example], inventory: Inventory, windows: Sequence[Window]
) -> CoreferenceTargets | None:
    """The mentions of the batch's examples of news and their candidates, each text or window by itself; None where
    the reader finds names alone."""
    if len(inventory.forms) == 1:
        return None
    groups = [one.sentences for one in windows] or [(row,) for row in range(len(examples))]
    rows: list[tuple[int, int, int]] = []
    own, laters, earliers, features, same = [], [], [], [], []
    for group in groups:
        spans = [(row, place, span) for row in group for place, span in enumerate(examples[row].mentions)]
        if not spans or not examples[group[0]].news:
            continue
        mentions = [
            Referring(row, place, examples[row].words[span.start : span.end], span.type, span.form)
            for row, place, span in spans
        ]
        later, earlier = candidate_pairs(len(mentions))
        entities = np.array([span.entity for _, _, span in spans])
        laters.append(later + len(rows))
        earliers.append(earlier + len(rows))
        own.append(own_features(mentions))
        features.append(pair_features(mentions, later, earlier))
        same.append(entities[later] == entities[earlier])
        rows += [(row, span.start, span.end - 1) for row, _, span in spans]
    if not rows:
        return None
    places = torch.tensor(rows)
    joined = (torch.from_numpy(np.concatenate(part)) for part in (own, laters, earliers, features, same))
    return CoreferenceTargets(places[:, 0], places[:, 1], places[:, 2], *joined)
