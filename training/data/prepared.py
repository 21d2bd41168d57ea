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

    @property
    def sizes(self) -> Sizes:
        return sizes_of(self.featurizer, self.inventory, self.classes)


Targets = Callable[[Sequence[Example], Sequence[TrainingItem], Inventory, int, int, np.random.Generator], AnyTargets]


@dataclass(frozen=True)
class Head:
    """One task. What `predict` gives, `calibrate`, `score` and `examine` take: logits of pairs, or what was found."""

    name: HeadName
    targets: Targets  # (examples, items, inventory, band, words of noise, random numbers)
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
    """Examples, the features of each with its title (`titled`) and without (`plain`), and the items made of them."""

    head: Head
    vocabularies: Vocabularies
    examples: list[Example]
    plain: list[Features]
    titled: list[Features]
    items: list[TrainingItem]
    look: ImageSource = lambda name: None
    notes: list[str] = field(default_factory=list)  # of the preparation, for people

    @property
    def inventory(self) -> Inventory:
        return self.vocabularies.inventory

    def rows(self, needs: Needs) -> InputRows:
        """The builder of rows and batches for a network with these needs."""
        known = self.vocabularies
        return InputRows(needs, known.featurizer.tokenizer, known.markers, known.classes, self.look)

    def row(self, rows: InputRows, item: TrainingItem, features: Features) -> InputRow:
        """The row of an item that is shown with these features."""
        example = self.examples[item.example]
        if item.candidate is None:
            return rows.sentence(example, features)
        return rows.pair(example, features, item.candidate)

    def score(self, network: Any, calibrated: Calibrated | None = None) -> Scores:
        """Runs the network over the items and scores it as its head is scored."""
        return self.head.score(self, self.head.predict(network, self), calibrated or Calibrated())
