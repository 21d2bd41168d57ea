"""What a run or an evaluation works on: a head, examples with their features, and their vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from extraction.features.batch import Needs
from extraction.features.featurizer import Features, Featurizer
from extraction.features.model_inputs import ImageSource, InputRow, InputRows
from extraction.features.targets import AnyTargets
from extraction.features.visual_inputs import BOXES_ALONE, VisualInputs
from extraction.features.windows import Window, windows_of
from extraction.labels import Inventory
from extraction.networks.systems import HeadName, Sizes, sizes_of
from extraction.schema import Candidate, Example
from training.config import TrainConfig
from training.data.items import TrainingItem
from training.scores import Calibrated, Examined, Scores


@dataclass(frozen=True)
class Vocabularies:
    """What a network's inputs and outputs stand for; a checkpoint keeps them."""

    inventory: Inventory
    featurizer: Featurizer
    classes: tuple[str, ...] = ()
    markers: tuple[int, ...] = ()
    inputs: VisualInputs = BOXES_ALONE

    @property
    def sizes(self) -> Sizes:
        return sizes_of(self.featurizer, self.inventory, self.classes, self.inputs)


Targets = Callable[
    [Sequence[Example], Sequence[TrainingItem], Inventory, int, int, np.random.Generator, Sequence[Window]], AnyTargets
]


@dataclass(frozen=True)
class Head:
    """One task. What `predict` gives, `calibrate`, `score` and `examine` take: logits of pairs, or what was found."""

    name: HeadName
    targets: Targets  # (examples, items, inventory, band, words of noise, random numbers, windows)
    predict: Callable[[Any, Prepared], Any]  # by a network
    calibrate: Callable[[Prepared, Any, TrainConfig], Calibrated]  # on dev
    score: Callable[[Prepared, Any, Calibrated], Scores]
    examine: Callable[[Prepared, Any, Calibrated], Examined]  # the errors in each example
    pairs: Literal["", "mentions", "regions"] = ""  # what it relates a given mention to; "" = it finds the mentions
    by_data_set: bool = False  # its card has the scores on each data set, in that set's own labels

    def asks(self, candidate: Candidate) -> bool:
        """Whether this head classifies the pair."""
        return self.pairs == ("regions" if candidate.region else "mentions")

    def items(self, examples: Sequence[Example]) -> list[TrainingItem]:
        """The examples, or the pairs of them that this head classifies."""
        if not self.pairs:
            return [TrainingItem(index) for index in range(len(examples))]
        pairs = ((index, one) for index, example in enumerate(examples) for one in example.candidates)
        return [TrainingItem(index, candidate) for index, candidate in pairs if self.asks(candidate)]


@dataclass(frozen=True)
class Prepared:
    """Examples, the features of each with its title (`titled`) and without (`plain`), and the items made of them.

    With a `window` the encoder reads neighbouring examples together, and `titles` holds the features of each one's.
    """

    head: Head
    vocabularies: Vocabularies
    examples: list[Example]
    plain: list[Features]
    titled: list[Features]
    items: list[TrainingItem]
    look: ImageSource = lambda name: None
    notes: list[str] = field(default_factory=list)  # of the preparation, for people
    window: int = 0
    titles: list[Features | None] = field(default_factory=list)

    @property
    def inventory(self) -> Inventory:
        return self.vocabularies.inventory

    def rows(self, needs: Needs) -> InputRows:
        """The builder of rows and batches for a network with these needs."""
        known = self.vocabularies
        tokens = known.featurizer.tokenizer
        return InputRows(needs, tokens, known.markers, known.classes, self.look, known.inputs, aligned={})

    def row(self, rows: InputRows, item: TrainingItem, features: Features) -> InputRow:
        """The row of an item that is shown with these features."""
        example = self.examples[item.example]
        if item.candidate is None:
            return rows.sentence(example, features)
        return rows.pair(example, features, item.candidate)

    def runs(self, items: Sequence[int], first: int = 0) -> list[list[int]]:
        """These items in windows: runs of neighbours, given as places in `items`; each by itself without a `window`."""
        if not self.window:
            return [[place] for place in range(len(items))]
        examples = [self.items[item].example for item in items]
        texts: list[object] = []
        for place, example in enumerate(examples):
            text = self.examples[example].document
            follows = place and text and examples[place - 1] == example - 1
            # A run of neighbours has one text; its name is made unique where the examples are not neighbours.
            texts.append(texts[-1] if follows and self.examples[example - 1].document == text else (text, example))
        return windows_of(texts, [len(self.plain[example].ids) for example in examples], self.window, first)

    def windows(self, items: Sequence[int], dropped: Callable[[], bool] = lambda: False) -> list[Window]:
        """The windows of a batch of these items; `dropped` decides for each whether it goes without its title."""
        if not self.window:
            return []
        return [
            Window(tuple(run), None if dropped() else self.titles[self.items[items[run[0]]].example])
            for run in self.runs(items)
        ]

    def score(self, network: Any, calibrated: Calibrated | None = None) -> Scores:
        """Runs the network over the items and scores it as its head is scored."""
        return self.head.score(self, self.head.predict(network, self), calibrated or Calibrated())
