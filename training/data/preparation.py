"""From a run's config to what its loop turns over: examples, their features, and the vocabularies behind them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from extraction.datasets import registry
from extraction.features.batch import AnyTargets, Batch, Needs, PairTargets, TagTargets, targets
from extraction.features.cooccurrence import PmiTable
from extraction.features.entity_markers import add_markers
from extraction.features.featurizer import Features, Featurizer
from extraction.features.model_inputs import Look, Row, Rows, class_names, pixels_in
from extraction.labels import Inventory, inventory
from extraction.networks.encoders.text import find
from extraction.networks.systems import SYSTEMS, Head, Sizes, sizes_of
from extraction.reader.checkpoint import Checkpoint
from extraction.schema import Candidate, Example, Words
from training.config import TrainConfig
from training.data import subsets
from training.data.images import folders_in
from training.data.parse_cache import Parses

PIECES = 512


@dataclass(frozen=True, slots=True)
class Item:
    """What a step turns over: an example, or one of its candidate pairs."""

    example: int
    candidate: Candidate | None = None


@dataclass(frozen=True)
class Prepared:
    """Examples, the features of each with its title (`titled`) and without (`plain`), notes for people."""

    inventory: Inventory
    featurizer: Featurizer
    examples: list[Example]
    plain: list[Features]
    titled: list[Features]
    notes: list[str]
    head: Head = "word_pairs"
    items: list[Item] = field(default_factory=list)
    markers: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    look: Look = lambda name: None

    @property
    def sizes(self) -> Sizes:
        return sizes_of(self.featurizer, self.inventory, self.classes)

    def rows(self, needs: Needs) -> Rows:
        """What makes rows and batches for a network with these needs."""
        return Rows(needs, self.featurizer.tokenizer, self.markers, self.classes, self.look)

    def row(self, rows: Rows, item: Item, features: Features) -> Row:
        """The row of an item that is shown with these features."""
        example = self.examples[item.example]
        if item.candidate is None:
            return rows.sentence(example, features)
        return rows.pair(example, features, item.candidate)

    def others(self, examples: Sequence[Example], parser: Parses, title: bool) -> Prepared:
        """Held-out examples in these vocabularies, none left out."""
        parsed = parser.parse_words([example.words for example in examples])
        plain = self.featurizer.make(parsed)
        titled = with_titles(self.featurizer, examples, parsed, plain, own=False) if title else plain
        held = list(examples)
        return dataclasses.replace(
            self, examples=held, plain=plain, titled=titled, items=items_of(held, self.head), notes=[]
        )


def prepare(config: TrainConfig, root: Path, parser: Parses, tokenizer: Tokenizer | None = None) -> Prepared:
    """Loads, filters, parses and featurises a run's training examples. Raises datasets.DatasetError."""
    report = registry.LoadReport()
    examples = [subsets.without(config, one) for one in registry.training_set(config.data, root, config.labels, report)]
    if config.limit:
        examples = examples[: config.limit]
    names = registry.inventory(config.data, root, config.labels)
    if config.start:
        begun = Checkpoint.load(Path(config.start))
        _fits(config, begun, names)
        return prepare_examples(
            config,
            examples,
            parser,
            None,
            [line.strip() for line in report.lines()],
            names,
            begun.featurizer,
            begun.manifest.classes,
        )
    return prepare_examples(config, examples, parser, tokenizer, [line.strip() for line in report.lines()], names)


def _fits(config: TrainConfig, begun: Checkpoint, names: Inventory) -> None:
    theirs = begun.manifest
    if theirs.system != config.system or theirs.head != head_of(config):
        raise ValueError(f"{config.start} is of {theirs.system}, head {theirs.head}: a run goes on from its own kind.")
    if theirs.inventory != names:
        raise ValueError(f"{config.start} predicts other types or relations than this run's data sets hold.")
    asked = json.loads(json.dumps(config.network))
    built = json.loads(json.dumps(dataclasses.asdict(theirs.network)))
    if other := sorted(name for name, value in asked.items() if built.get(name) != value):
        kept = ", ".join(f"{name} {built.get(name)!r}" for name in other)
        raise ValueError(f"{config.start} goes on with its own network: leave {kept} as there.")
    for what, source in (("encoder", config.encoder), ("vision", config.vision.get("source"))):
        own = getattr(theirs, what).get("source")
        if source and own and source != own:
            raise ValueError(f"{config.start} goes on with its own {what}, {own}: name that one, not {source}.")


def prepare_examples(
    config: TrainConfig,
    examples: Sequence[Example],
    parser: Parses,
    tokenizer: Tokenizer | None = None,
    notes: Sequence[str] = (),
    names: Inventory | None = None,
    featurizer: Featurizer | None = None,
    classes: tuple[str, ...] | None = None,
) -> Prepared:
    """The same from examples already at hand. The co-occurrence table is counted on them and on nothing else.

    `names`: what is predicted, where it is not what the labels of the run's data sets make. `featurizer`, `classes`: an
    earlier run's vocabularies and table, instead of new ones.
    """
    fitting = [example for example in examples if 0 < len(example.words) <= config.longest]
    left_out = f"{len(examples) - len(fitting)} examples of more than {config.longest} words left out"
    parsed = parser.parse_words([example.words for example in fitting])
    head = head_of(config)
    tokenizer = featurizer.tokenizer if featurizer else tokenizer or load_tokenizer(config.encoder)
    markers = add_markers(tokenizer) if head in ("pair", "region_pair") else ()
    if featurizer is None:
        pmi = PmiTable.count(example.words for example in fitting)
        featurizer = Featurizer(tokenizer, parser.pos_labels, parser.dep_labels, pmi, PIECES)
    plain = featurizer.make(parsed, own=True)
    titled = with_titles(featurizer, fitting, parsed, plain, own=True) if config.title else plain
    said = [*notes, left_out, f"{len(featurizer.pmi.keys)} word pairs counted"]
    items, fewer = subsets.chosen(config, items_of(fitting, head), fitting)
    return Prepared(
        names or inventory(config.data, config.labels),
        featurizer,
        fitting,
        plain,
        titled,
        [*said, *fewer],
        head,
        items,
        markers,
        class_names(fitting) if classes is None else classes,
        pixels_in(folders_in(config.images)),
    )


def head_of(config: TrainConfig) -> Head:
    """The head that a run trains. Raises ValueError for a system or a head that there is not."""
    if config.system not in SYSTEMS:
        raise ValueError(f"unknown system {config.system!r}; there are {', '.join(SYSTEMS)}")
    heads = SYSTEMS[config.system].heads
    for head in heads:
        if config.head in ("", head):
            return head
    raise ValueError(f"{config.system} has no head {config.head!r}; it has {', '.join(heads)}")


def load_tokenizer(encoder: str) -> Tokenizer:
    """The encoder's own word pieces: of a package, a folder, or the hub."""
    folder = Path(find(encoder))
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Tokenizer.from_pretrained(encoder)


def items_of(examples: Sequence[Example], head: Head) -> list[Item]:
    """What there is to turn over for this head."""
    if head in ("word_pairs", "tags"):
        return [Item(index) for index in range(len(examples))]
    return [
        Item(index, candidate)
        for index, example in enumerate(examples)
        for candidate in example.candidates
        if candidate.region == (head == "region_pair")
    ]


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
    """The epoch's batches of item indexes: drawn by data set's weight, of similar length, in random order.

    Depends on the seed and the epoch alone, so that a resumed run turns over the same batches.
    """
    rng = np.random.default_rng((config.seed, epoch))
    drawn: list[int] = []
    names = [prepared.examples[item.example].dataset for item in prepared.items]
    for name in dict.fromkeys(names):
        mine = [index for index, other in enumerate(names) if other == name]
        whole, part = divmod(config.weights.get(name, 1.0), 1.0)
        drawn += mine * int(whole)
        drawn += rng.permutation(mine)[: round(part * len(mine))].tolist()
    lengths = {index: len(prepared.titled[prepared.items[index].example].ids) for index in set(drawn)}
    noisy = np.array([lengths[index] for index in drawn]) + rng.uniform(0, 6, len(drawn))  # not the same neighbours
    batches, batch, longest = [], list[int](), 0
    for index in np.array(drawn)[np.argsort(noisy, kind="stable")].tolist():
        longest = max(longest, lengths[index])
        full = len(batch) >= config.batch if config.batch else longest * (len(batch) + 1) > config.batch_pieces
        if batch and full:
            batches.append(batch)
            batch, longest = [], lengths[index]
        batch.append(index)
    batches.append(batch)
    return [batches[place] for place in rng.permutation(len(batches))]


def make_batch(
    config: TrainConfig, prepared: Prepared, rows: Rows, chosen: Sequence[int], band: int, rng: np.random.Generator
) -> tuple[Batch, AnyTargets]:
    """The batch of these items, some without their title, with some co-occurrence levels hidden."""
    items = [prepared.items[index] for index in chosen]
    bare = rng.random(len(items)) < config.title_dropped
    features = [
        (prepared.plain if drop else prepared.titled)[item.example] for item, drop in zip(items, bare, strict=True)
    ]
    batch = rows.batch([prepared.row(rows, *pair) for pair in zip(items, features, strict=True)])
    batch.together.masked_fill_(torch.from_numpy(rng.random(batch.together.shape) < config.dropped_pairs), 0)
    return batch, targets_of(prepared, items, band, config.noise, rng)


def targets_of(
    prepared: Prepared, items: Sequence[Item], band: int, noise: int = 0, rng: np.random.Generator | None = None
) -> AnyTargets:
    """What the data say of these items, for the run's head."""
    examples = [prepared.examples[item.example] for item in items]
    if prepared.head == "word_pairs":
        return targets(examples, prepared.inventory, band, noise, rng)
    if prepared.head == "tags":
        return tag_targets(examples, prepared.inventory)
    labels = torch.tensor([label_of(prepared.inventory, item.candidate) for item in items])
    return PairTargets(labels, tag_targets(examples, prepared.inventory))


def label_of(names: Inventory, candidate: Candidate | None) -> int:
    """A candidate's label: 0 for none, 1 + the relation's place. Raises ValueError for an unknown relation."""
    if candidate is None or not candidate.key:
        return 0
    if candidate.key not in names.relation_keys:
        raise ValueError(f"the relation {candidate.key!r} is none of the {len(names.relations)} that are trained")
    return 1 + names.relation_keys.index(candidate.key)


def tag_targets(examples: Sequence[Example], names: Inventory) -> TagTargets:
    """BIO tags of the examples' mentions; one of another type, or that overlaps one before it, is left out."""
    tags = np.zeros((len(examples), max(len(example.words) for example in examples)), np.int64)
    for row, example in enumerate(examples):
        for mention in example.mentions:
            span = slice(mention.start, mention.end)
            if mention.type in names.types and not tags[row, span].any():
                kind = names.types.index(mention.type)
                tags[row, span] = 2 + 2 * kind
                tags[row, mention.start] = 1 + 2 * kind
    return TagTargets(torch.from_numpy(tags))
