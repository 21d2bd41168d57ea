"""The features of two mentions of one text for a scorer of coreference, beside their words' states; and its targets.

The candidates of a name are the names before it; those of a pronoun or nominal are the mentions before it, and the next
names: `"I will go," Lee answered`. The features of a pair are indexes into tables of embeddings: how far the two are
apart, how their words compare, their forms and types, which pronoun it is, and who stands within a quotation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from extraction.features.windows import Window
from extraction.labels import ENTITY_TYPES, Inventory
from extraction.schema import FORMS, Example

MOST_CANDIDATES = 250  # before a mention: the nearest ones
NEXT_NAMES = 4  # after a pronoun or nominal
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
    len(_DISTANCES) + 1 + NEXT_NAMES,
    len(_SENTENCES) + 1,
    8,  # how the words compare
    len(FORMS) ** 2,
    1 + len(_TYPES),
    len(PRONOUN_CLASSES),
    4,  # whether both are the same pronoun
    len(PRONOUN_CLASSES) * len(_TYPES),
    8,  # the candidate's place in its sentence
    4,  # which of the two is quoted
)
OWN_SIZES = (len(FORMS), len(PRONOUN_CLASSES), len(_TYPES), 2)


@dataclass(frozen=True, slots=True)
class Referring:
    """A mention in its text: the number of its sentence, its place among that sentence's mentions, its words, and
    whether it stands within a quotation."""

    sentence: int
    place: int
    words: tuple[str, ...]
    type: str
    form: str
    quoted: bool = False


@dataclass(frozen=True)
class CoreferenceTargets:
    """Mentions of a batch, and for each its candidates in the same window or text."""

    row: Tensor  # (M,) the sentence's row in the batch
    first: Tensor  # (M,) first word
    last: Tensor  # (M,) last word
    own: Tensor  # (M, len(OWN_SIZES)) features of the mention alone
    anaphor: Tensor  # (P,) index of the mention whose candidate this is; ascending
    candidate: Tensor  # (P,) index of the candidate
    features: Tensor  # (P, len(SIZES))
    same: Tensor  # (P,) bool: both refer to one entity


def candidate_pairs(mentions: Sequence[Referring]) -> tuple[np.ndarray, np.ndarray]:
    """(anaphor, candidate) of all candidates of mentions in the order of the text, ordered by the anaphor."""
    names = [place for place, one in enumerate(mentions) if one.form == "name"]
    pairs: list[tuple[int, int]] = []
    for place, one in enumerate(mentions):
        split = bisect_left(names, place)
        if one.form == "name":
            pairs += [(place, other) for other in names[max(0, split - MOST_CANDIDATES) : split]]
        else:
            pairs += [(place, other) for other in range(max(0, place - MOST_CANDIDATES), place)]
            pairs += [(place, other) for other in names[split : split + NEXT_NAMES]]
    anaphor, candidate = np.array(pairs, np.int64).reshape(-1, 2).T
    return anaphor, candidate


def quoted_words(sentences: Sequence[Sequence[str]]) -> list[list[bool]]:
    """For each word of a text's sentences whether it stands within a quotation, which may go on over sentences.

    A straight mark opens where none is open; a curly one says itself what it does.
    """
    opened, result = False, []
    for words in sentences:
        inside = []
        for word in words:
            if word in ("“", "„"):
                opened = True
            elif word == "”":
                opened = False
            elif word in ('"', "''", "``"):
                opened = not opened
            inside.append(opened)
        result.append(inside)
    return result


def own_features(mentions: Sequence[Referring]) -> np.ndarray:
    """(mentions, len(OWN_SIZES))."""
    rows = [(FORMS.index(one.form), _pronoun(one), _TYPES.get(one.type, 0), one.quoted) for one in mentions]
    return np.array(rows, np.int64).reshape(-1, len(OWN_SIZES))


def pair_features(mentions: Sequence[Referring], anaphor: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """(pairs, len(SIZES)) of mentions in the order of the text."""
    if not len(anaphor):
        return np.zeros((0, len(SIZES)), np.int64)
    forms, pronouns, types, quoted = own_features(mentions).T
    sentence = np.array([one.sentence for one in mentions])
    place = np.minimum([one.place for one in mentions], 3)
    apart = np.abs(sentence[anaphor] - sentence[candidate])
    same_type = types[anaphor] == types[candidate]
    both = (pronouns[anaphor] > 0) & (pronouns[candidate] > 0)
    equal = np.where(pronouns[anaphor] == pronouns[candidate], 1, 2)
    alike = np.where(both, equal, np.where(pronouns[candidate] > 0, 3, 0))
    return np.stack(
        [
            _distances(anaphor, candidate),
            np.searchsorted(_SENTENCES, apart, "right"),
            _words(mentions, anaphor, candidate),
            forms[anaphor] * len(FORMS) + forms[candidate],
            np.where(same_type, 1 + types[anaphor], 0),
            pronouns[anaphor],
            alike,
            pronouns[anaphor] * len(_TYPES) + types[candidate],
            place[candidate] + 4 * (apart == 0),
            2 * quoted[anaphor] + quoted[candidate],
        ],
        axis=1,
    )


def _distances(anaphor: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """Mentions back to the candidate, by steps; beyond these the how many-th of the mentions that follow it is."""
    back = np.searchsorted(_DISTANCES, anaphor - candidate, "right")
    ahead = len(_DISTANCES) + np.minimum(candidate - anaphor, NEXT_NAMES)
    steps: np.ndarray = np.where(candidate < anaphor, back, ahead)
    return steps


def _pronoun(mention: Referring) -> int:
    if mention.form != "pronoun":
        return 0
    return _CLASS_OF.get(mention.words[0].casefold(), len(PRONOUN_CLASSES) - 1)


def _words(mentions: Sequence[Referring], anaphor: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """How the words of names and nominals compare; 0 where nothing is common or one is a pronoun."""
    folded = [tuple(word.casefold() for word in one.words if word.casefold() not in _LITTLE) for one in mentions]
    acronyms = ["".join(word[0] for word in one.words if word[:1].isupper()) for one in mentions]
    keys = [(words, form) for words, form in zip(folded, (one.form for one in mentions), strict=True)]
    known: dict[tuple[int, int], int] = {}
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    numbers = [number[key] for key in keys]
    result = np.zeros(len(anaphor), np.int64)
    for index, (one, other) in enumerate(zip(anaphor.tolist(), candidate.tolist(), strict=True)):
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
    own, anaphors, candidates, features, same = [], [], [], [], []
    for group in groups:
        spans = [(row, place, span) for row in group for place, span in enumerate(examples[row].mentions)]
        # Where not every mention is annotated, what another one refers to may be none of these.
        if not spans or not examples[group[0]].news or not examples[group[0]].complete:
            continue
        quoted = dict(zip(group, quoted_words([examples[row].words for row in group]), strict=True))
        mentions = [
            Referring(
                *(row, place, examples[row].words[span.start : span.end], span.type, span.form),
                quoted[row][span.start],
            )
            for row, place, span in spans
        ]
        anaphor, candidate = candidate_pairs(mentions)
        entities = np.array([span.entity for _, _, span in spans])
        anaphors.append(anaphor + len(rows))
        candidates.append(candidate + len(rows))
        own.append(own_features(mentions))
        features.append(pair_features(mentions, anaphor, candidate))
        same.append(entities[anaphor] == entities[candidate])
        rows += [(row, span.start, span.end - 1) for row, _, span in spans]
    if not rows:
        return None
    places = torch.tensor(rows)
    joined = (torch.from_numpy(np.concatenate(part)) for part in (own, anaphors, candidates, features, same))
    return CoreferenceTargets(places[:, 0], places[:, 1], places[:, 2], *joined)
