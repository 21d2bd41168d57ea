"""From a run's config to what its loop turns over: examples, their features, and the vocabularies behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from extraction import datasets
from extraction.cooccurrence import PmiTable
from extraction.features import Features, Featurizer
from extraction.labels import Inventory, inventory
from extraction.networks.encoders import find
from extraction.schema import Example, Words
from extraction.text import Parser
from training.config import TrainConfig

PIECES = 512


@dataclass(frozen=True)
class Prepared:
    """Training examples, the features of each with its title (`titled`) and without (`plain`), notes for people."""

    inventory: Inventory
    featurizer: Featurizer
    examples: list[Example]
    plain: list[Features]
    titled: list[Features]
    notes: list[str]


def prepare(config: TrainConfig, root: Path, parser: Parser, tokenizer: Tokenizer | None = None) -> Prepared:
    """Loads, filters, parses and featurises a run's training examples. Raises datasets.DatasetError."""
    report = datasets.LoadReport()
    examples = datasets.training_set(config.data, root, config.labels, report)
    return prepare_examples(config, examples, parser, tokenizer, [line.strip() for line in report.lines()])


def prepare_examples(
    config: TrainConfig,
    examples: Sequence[Example],
    parser: Parser,
    tokenizer: Tokenizer | None = None,
    notes: Sequence[str] = (),
) -> Prepared:
    """The same from examples already at hand. The co-occurrence table is counted on them and on nothing else."""
    fitting = [example for example in examples if 0 < len(example.words) <= config.longest]
    left_out = f"{len(examples) - len(fitting)} examples of more than {config.longest} words left out"
    parsed = parser.parse_words([example.words for example in fitting])
    pmi = PmiTable.count(example.words for example in fitting)
    tokenizer = tokenizer or Tokenizer.from_file(str(Path(find(config.encoder)) / "tokenizer.json"))
    featurizer = Featurizer(tokenizer, parser.pos_labels, parser.dep_labels, pmi, PIECES)
    plain = featurizer.make(parsed, own=True)
    titled = with_titles(featurizer, fitting, parsed, plain, own=True) if config.title else plain
    names = inventory(config.data, config.labels)
    return Prepared(
        names, featurizer, fitting, plain, titled, [*notes, left_out, f"{len(pmi.keys)} word pairs counted"]
    )


def with_titles(
    featurizer: Featurizer, examples: Sequence[Example], parsed: Sequence[Words], plain: Sequence[Features], own: bool
) -> list[Features]:
    """Features of each example behind its context; those without context as they are."""
    titled = list(plain)
    rows = [row for row, example in enumerate(examples) if example.before]
    made = featurizer.make([parsed[row] for row in rows], [examples[row].before for row in rows], own)
    for row, features in zip(rows, made, strict=True):
        titled[row] = features
    return titled


def epoch_batches(config: TrainConfig, prepared: Prepared, epoch: int) -> list[list[int]]:
    """The epoch's batches of example indexes: drawn by data set's weight, of similar length, in random order.

    Depends on the seed and the epoch alone, so that a resumed run turns over the same batches.
    """
    rng = np.random.default_rng((config.seed, epoch))
    drawn: list[int] = []
    names = [example.dataset for example in prepared.examples]
    for name in dict.fromkeys(names):
        mine = [index for index, other in enumerate(names) if other == name]
        whole, part = divmod(config.weights.get(name, 1.0), 1.0)
        drawn += mine * int(whole)
        drawn += rng.permutation(mine)[: round(part * len(mine))].tolist()
    lengths = np.array([len(prepared.titled[index].ids) for index in drawn])
    order = np.argsort(lengths + rng.uniform(0, 6, len(drawn)), kind="stable")  # not the same neighbours each time
    batches, batch, longest = [], list[int](), 0
    for index in np.array(drawn)[order].tolist():
        longest = max(longest, len(prepared.titled[index].ids))
        if batch and longest * (len(batch) + 1) > config.batch_pieces:
            batches.append(batch)
            batch, longest = [], len(prepared.titled[index].ids)
        batch.append(index)
    batches.append(batch)
    return [batches[place] for place in rng.permutation(len(batches))]
