"""Whether a data set gives its labels away: how well trivial features predict them, and which texts its splits share.

Number of regions, presence of a picture, lengths: in a clean data set they predict little. MNRE's published grounding
crops are the warning: pairs without a relation have two, all others three or four, and any network that is given those
pictures scores above 80 without using their content. Each feature alone is measured by AUC; all of one kind together by
a logistic regression that is trained on the train split and measured on the others. No Django, no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from extraction.datasets.registry import text_key
from extraction.schema import Candidate, Example

PICTURE = ("detected regions", "grounded regions", "picture")
TEXT = ("words", "letters", "mentions", "words of the head", "words of the tail", "words between")
FEATURES = (*PICTURE, *TEXT)
NONE = "none"

SUSPECT = {"picture": 0.6, "text": 0.8}  # AUC from which a kind of feature is warned of; lengths predict a little
GAIN = 0.05  # accuracy above that of the commonest label from which the picture's counts are warned of
FEWEST = 20  # items of a label whose own AUC is worth a number
BINS = 8

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Items:
    """What a network would have to predict: features (N, len(FEATURES)) and labels (N,)."""

    features: Floats
    labels: NDArray[np.str_]


@dataclass(frozen=True)
class FeatureLeak:
    """How well one feature predicts in a split: AUC of related against not, and of the label that it predicts best."""

    feature: str
    split: str
    auc: float
    best_label: str
    best_auc: float


@dataclass(frozen=True)
class Guess:
    """A logistic regression on features of one kind, trained on one split and measured on another."""

    kind: str
    split: str
    accuracy: float
    commonest: float  # accuracy of always predicting the train split's commonest label
    auc: float  # of related against not; 0.5 where the split has but one of them


@dataclass(frozen=True)
class Shared:
    """How many texts of one split are also in another."""

    count: int
    part: str
    holder: str


@dataclass
class Audit:
    """An audit's result. `pictures`: texts under several pictures, by split; `warnings` are sentences for people."""

    name: str
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)  # split -> examples, items
    features: list[FeatureLeak] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    pictures: dict[str, int] = field(default_factory=dict)
    shared: list[Shared] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def audit(
    name: str, splits: Mapping[str, Sequence[Example]], others: Mapping[str, Sequence[Example]] | None = None
) -> Audit:
    """Audits a data set, split by split. `others`: dev and test sets whose texts training must not hold, by name."""
    result = Audit(name)
    split_items = {split: items(examples) for split, examples in splits.items()}
    for split, one in split_items.items():
        result.counts[split] = len(splits[split]), len(one.labels)
        result.features += _features(split, one)
    result.guesses = _guesses(split_items)
    result.pictures = {split: _several_pictures(examples) for split, examples in splits.items()}
    result.shared = shared_texts(splits, others or {})
    result.warnings = [*_feature_warnings(result), *map(_text_warning, result.shared)]
    return result


def items(examples: Sequence[Example]) -> Items:
    """An item for each candidate pair; of a set without candidates one for each sentence: what is first in it."""
    rows, labels = [], []
    in_pairs = any(example.candidates for example in examples)
    for example in examples:
        for candidate in example.candidates if in_pairs else (None,):
            rows.append(_row(example, candidate))
            labels.append(_label(example, candidate))
    return Items(np.array(rows, np.float64).reshape(-1, len(FEATURES)), np.array(labels, np.str_))


def auc(values: Floats, positive: NDArray[np.bool_]) -> float:
    """How well the values separate: the share of pairs in order, ties half; 0.5..1, whichever way they point."""
    ours, theirs = int(positive.sum()), int((~positive).sum())
    if not ours or not theirs:
        return 0.5
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    area = (ranks[positive].sum() - ours * (ours + 1) / 2) / (ours * theirs)
    return float(max(area, 1 - area))


def shared_texts(splits: Mapping[str, Sequence[Example]], others: Mapping[str, Sequence[Example]]) -> list[Shared]:
    """Texts of a later split that an earlier one holds, and of `others` that train holds."""
    keys = {split: {text_key(example.words) for example in examples} for split, examples in splits.items()}
    names = list(splits)
    pairs = [(late, splits[late], early) for place, late in enumerate(names) for early in names[:place]]
    pairs += [(other, examples, "train") for other, examples in others.items() if "train" in keys]
    found = [
        Shared(sum(text_key(example.words) in keys[holder] for example in examples), part, holder)
        for part, examples, holder in pairs
    ]
    return [shared for shared in found if shared.count]


def _several_pictures(examples: Sequence[Example]) -> int:
    pictures = Counter(key for key, _ in {(text_key(example.words), example.image) for example in examples})
    return sum(count > 1 for count in pictures.values())


def _row(example: Example, candidate: Candidate | None) -> list[float]:
    grounded = sum(region.grounded for region in example.regions)
    words = len(example.words)
    sizes = [len(example.regions) - grounded, grounded, bool(example.image or example.regions)]
    lengths = [words, sum(map(len, example.words))]
    if candidate is None:  # here the mentions are to be predicted
        return [*sizes, *lengths, 0, 0, 0, 0]
    head = example.mentions[candidate.head]
    if candidate.region:
        return [*sizes, *lengths, len(example.mentions), head.end - head.start, 0, 0]
    tail = example.mentions[candidate.tail]
    between = max(head.start, tail.start) - min(head.end, tail.end)
    return [*sizes, *lengths, len(example.mentions), head.end - head.start, tail.end - tail.start, between]


def _label(example: Example, candidate: Candidate | None) -> str:
    if candidate is not None:
        return candidate.key or NONE
    if example.relation_keys:
        return example.relations[0].key if example.relations else NONE
    return "a mention" if example.mentions else NONE


def _features(split: str, split_items: Items) -> list[FeatureLeak]:
    related = split_items.labels != NONE
    frequent = [label for label, count in Counter(split_items.labels.tolist()).items() if count >= FEWEST]
    found = []
    for place, feature in enumerate(FEATURES):
        values = split_items.features[:, place]
        if len(values) and (values != values[0]).any():
            best = max(((auc(values, split_items.labels == label), label) for label in frequent), default=(0.5, ""))
            found.append(FeatureLeak(feature, split, auc(values, related), best[1], best[0]))
    return found


def _guesses(split_items: Mapping[str, Items]) -> list[Guess]:
    """Train on "train", measure on the rest; a set of one split is halved."""
    train = split_items.get("train") or next(iter(split_items.values()))
    rest = {split: one for split, one in split_items.items() if one is not train} or _halved(train)
    if not rest or not len(train.labels):
        return []
    if train in split_items.values() and len(split_items) == 1:
        train = Items(train.features[::2], train.labels[::2])
    found = []
    for kind, names in (("picture", PICTURE), ("text", TEXT), ("both", FEATURES)):
        columns = [FEATURES.index(name) for name in names]
        guess = Regression.fit(train.features[:, columns], train.labels)
        commonest = Counter(train.labels.tolist()).most_common(1)[0][0]
        for split, one in rest.items():
            if len(one.labels):
                shares = guess.shares(one.features[:, columns])
                right = float((guess.labels[shares.argmax(1)] == one.labels).mean())
                none = shares[:, guess.labels == NONE].sum(1)
                usual = float((one.labels == commonest).mean())
                found.append(Guess(kind, split, right, usual, auc(none, one.labels != NONE)))
    return found


def _halved(split_items: Items) -> dict[str, Items]:
    return {"its other half": Items(split_items.features[1::2], split_items.labels[1::2])}


@dataclass(frozen=True)
class Regression:
    """Multinomial logistic regression over features in bins, so that no order of the values is presumed."""

    labels: NDArray[np.str_]
    edges: list[Floats]
    weights: Floats

    @classmethod
    def fit(cls, features: Floats, labels: NDArray[np.str_], steps: int = 300, rate: float = 1.0) -> Regression:
        names, gold = np.unique(labels, return_inverse=True)
        edges = [_edges(column) for column in features.T]
        inputs = _binned(features, edges)
        weights = np.zeros((inputs.shape[1], len(names)))
        one_hot = np.eye(len(names))[gold]
        momentum = np.zeros_like(weights)
        for _ in range(steps):
            gradient = inputs.T @ (_softmax(inputs @ weights) - one_hot) / len(labels) + 1e-4 * weights
            momentum = 0.9 * momentum - rate * gradient
            weights = weights + momentum
        return cls(names, edges, weights)

    def shares(self, features: Floats) -> Floats:
        """Probabilities (N, labels)."""
        return _softmax(_binned(features, self.edges) @ self.weights)


def _edges(column: Floats) -> Floats:
    values = np.unique(column)
    if len(values) > BINS:
        return np.unique(np.quantile(column, np.arange(1, BINS) / BINS))
    return np.asarray((values[1:] + values[:-1]) / 2)


def _binned(features: Floats, edges: Sequence[Floats]) -> Floats:
    """One-hot by feature, and a constant; divided so that the descent's rate fits any number of features."""
    parts = [
        np.eye(len(cuts) + 1)[np.searchsorted(cuts, column, side="right")]
        for column, cuts in zip(features.T, edges, strict=True)
    ]
    whole = np.concatenate([*parts, np.ones((len(features), 1))], axis=1)
    return np.asarray(whole / np.sqrt(len(edges) + 1))


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _feature_warnings(result: Audit) -> list[str]:
    found = []
    for leak in result.features:
        kind = "picture" if leak.feature in PICTURE else "text"
        if max(leak.auc, leak.best_auc if kind == "picture" else 0) >= SUSPECT[kind]:
            best = f", and {leak.best_label} from the rest with {leak.best_auc:.2f}" if leak.best_label else ""
            found.append(
                f"{leak.split}: the number of {leak.feature} predicts related or not with AUC {leak.auc:.2f}{best}"
            )
    for guess in result.guesses:
        gain = guess.accuracy - guess.commonest
        if guess.kind == "picture" and (guess.auc >= SUSPECT["picture"] or gain >= GAIN):
            found.append(
                f"{guess.split}: counts of regions and pictures, without their content, predict the label in"
                f"{guess.accuracy:.1%} of cases (always the commonest: {guess.commonest:.1%}; related or not: AUC "
                f"{guess.auc:.2f}). A figure reached with these regions is no evidence of reading; use other regions."
            )
    return found


def _text_warning(shared: Shared) -> str:
    dropped = ". Training drops them wherever both are in use" if shared.holder == "train" else ""
    return f"{shared.count} texts of {shared.part} stand in {shared.holder} too{dropped}"
