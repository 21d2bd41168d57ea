"""Prepares what a run's loop goes over, from its config: examples, their features, and their vocabularies."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from extraction.datasets import registry
from extraction.features.batch import Batch
from extraction.features.cooccurrence import PmiTable
from extraction.features.entity_markers import add_markers
from extraction.features.featurizer import LONGEST_TITLE, Features, Featurizer
from extraction.features.model_inputs import InputRows, class_names, pixels_in
from extraction.features.targets import AnyTargets
from extraction.features.visual_inputs import of_examples
from extraction.features.windows import TITLE_PIECES
from extraction.labels import REVIEWED, Inventory, inventory, unversioned
from extraction.networks.encoders.text import find
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.schema import Example, Words
from training.config import TrainConfig
from training.data import subsets
from training.data.images import folders_in, folders_named, with_prepared
from training.data.parse_cache import Parses
from training.data.prepared import Head, Prepared, Vocabularies

PIECES = 512


def load_tokenizer(encoder: str) -> Tokenizer:
    """The encoder's own word pieces: of a package, a folder, or the hub."""
    folder = Path(find(encoder))
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Tokenizer.from_pretrained(encoder)


def prepare(
    config: TrainConfig,
    head: Head,
    root: Path,
    parser: Parses,
    tokenizer: Callable[[str], Tokenizer] = load_tokenizer,
) -> Prepared:
    """Loads, filters, parses and featurises a run's training examples. Raises datasets.DatasetError."""
    if head.name != "word_pairs" and any(unversioned(name) == REVIEWED for name in config.data):
        raise ValueError(
            f"{REVIEWED} know only what editors have judged, and the task {head.name} has no target for the rest: "
            "train eega on them, or leave them out."
        )
    report = registry.LoadReport()
    loaded = registry.training_set(config.data, root, config.labels, report)
    examples = [subsets.without(config.left_out, one) for one in loaded][: config.limit or None]
    examples = with_prepared(examples, config.prepared, root)
    names = registry.inventory(config.data, root, config.labels)
    begun = None
    if config.start:
        checkpoint = LoadedCheckpoint.load(Path(config.start))
        _fits(config, head, checkpoint, names)
        begun = dataclasses.replace(vocabularies_of(checkpoint, head), inventory=names)
    prepared = prepare_examples(config, head, examples, parser, tokenizer, names, begun)
    notes = [line.strip() for line in report.lines()]
    return dataclasses.replace(prepared, notes=[*notes, *prepared.notes])


def _fits(config: TrainConfig, head: Head, begun: LoadedCheckpoint, names: Inventory) -> None:
    theirs = begun.manifest
    if theirs.system != config.system or theirs.head != head.name:
        raise ValueError(
            f"{config.start} is of {theirs.system}, head {theirs.head}: a run continues from its own kind."
        )
    if theirs.inventory != names:
        if theirs.head == "word_pairs" and names.extends(theirs.inventory):
            return
        raise ValueError(f"{config.start} predicts other types or relations than this run's data sets hold.")
    requested = json.loads(json.dumps(config.network))
    built = json.loads(json.dumps(dataclasses.asdict(theirs.network)))
    if other := sorted(name for name, value in requested.items() if built.get(name) != value):
        kept = ", ".join(f"{name} {built.get(name)!r}" for name in other)
        raise ValueError(f"{config.start} continues with its own network: leave {kept} as there.")
    for what, source in (("encoder", config.encoder), ("vision", config.vision.get("source"))):
        own = getattr(theirs, what).get("source")
        if source and own and source != own:
            raise ValueError(f"{config.start} continues with its own {what}, {own}: name that one, not {source}.")


def prepare_examples(
    config: TrainConfig,
    head: Head,
    examples: Sequence[Example],
    parser: Parses,
    tokenizer: Callable[[str], Tokenizer] = load_tokenizer,
    names: Inventory | None = None,
    begun: Vocabularies | None = None,
) -> Prepared:
    """As `prepare`, from examples that are already loaded.

    `names`: what is predicted, where it is not what the labels of the run's data sets make. `begun`: an earlier run's
    vocabularies; new ones are made of these examples and of nothing else.
    """
    fitting = [example for example in examples if 0 < len(example.words) <= config.longest]
    left_out = f"{len(examples) - len(fitting)} examples of more than {config.longest} words left out"
    if begun is None:
        names = names or inventory(config.data, config.labels)
        begun = _counted(head, names, fitting, parser, tokenizer(config.encoder))
        begun = dataclasses.replace(begun, inputs=of_examples(fitting, bool(config.images)))
    prepared = _prepared(head, begun, fitting, parser, config.title, own=True, window=config.window)
    items, drawn = subsets.chosen(prepared.items, fitting, config.fraction, config.per_relation, config.seed)
    counted = f"{len(begun.featurizer.pmi.keys)} word pairs counted"
    look = pixels_in(folders_in(config.images))
    return dataclasses.replace(prepared, items=items, look=look, notes=[left_out, counted, *drawn])


def prepare_held_out(prepared: Prepared, examples: Sequence[Example], parser: Parses, title: bool) -> Prepared:
    """Held-out examples in the vocabularies of a run, none left out."""
    held = _prepared(prepared.head, prepared.vocabularies, examples, parser, title, window=prepared.window)
    return dataclasses.replace(held, look=prepared.look)


def prepare_for(
    checkpoint: LoadedCheckpoint,
    head: Head,
    examples: Sequence[Example],
    parser: Parses,
    images: str = "",
    title: bool | None = None,
) -> Prepared:
    """The examples in the checkpoint's vocabularies, as its network is shown them in use. Raises DatasetError.

    `title`: whether they are shown with their titles, where not as the checkpoint was trained.
    """
    title = checkpoint.manifest.title if title is None else title
    window = checkpoint.manifest.window
    held = _prepared(head, vocabularies_of(checkpoint, head), examples, parser, title, window=window)
    return dataclasses.replace(held, look=pixels_in(folders_named(images)))


def vocabularies_of(checkpoint: LoadedCheckpoint, head: Head) -> Vocabularies:
    """Those that a checkpoint has kept."""
    manifest, featurizer = checkpoint.manifest, checkpoint.featurizer
    markers = add_markers(featurizer.tokenizer) if head.pairs else ()
    return Vocabularies(manifest.inventory, featurizer, manifest.classes, markers, manifest.given)


def _counted(
    head: Head, names: Inventory, examples: Sequence[Example], parser: Parses, tokenizer: Tokenizer
) -> Vocabularies:
    """New vocabularies; the co-occurrence table is counted on the examples."""
    markers = add_markers(tokenizer) if head.pairs else ()
    pmi = PmiTable.count(example.words for example in examples)
    featurizer = Featurizer(tokenizer, parser.pos_labels, parser.dep_labels, pmi, PIECES)
    return Vocabularies(names, featurizer, class_names(examples), markers)


def _prepared(
    head: Head,
    vocabularies: Vocabularies,
    examples: Sequence[Example],
    parser: Parses,
    title: bool,
    own: bool = False,
    window: int = 0,
) -> Prepared:
    """`own`: the co-occurrence table was counted on these examples."""
    featurizer = vocabularies.featurizer
    parsed = parser.parse_words([example.words for example in examples])
    plain = featurizer.make(parsed, own=own)
    if window:
        titles = title_features(featurizer, [example.before if title else () for example in examples])
        items = head.items(examples)
        return Prepared(head, vocabularies, list(examples), plain, plain, items, window=window, titles=titles)
    titled = with_titles(featurizer, examples, parsed, plain, own) if title else plain
    return Prepared(head, vocabularies, list(examples), plain, titled, head.items(examples))


def with_titles(
    featurizer: Featurizer, examples: Sequence[Example], parsed: Sequence[Words], plain: Sequence[Features], own: bool
) -> list[Features]:
    """Features of each example after its context; those without context as they are."""
    titled = list(plain)
    rows = [row for row, example in enumerate(examples) if example.before]
    features_list = featurizer.make([parsed[row] for row in rows], [examples[row].before for row in rows], own)
    for row, features in zip(rows, features_list, strict=True):
        titled[row] = features
    return titled


def title_features(featurizer: Featurizer, titles: Sequence[tuple[str, ...]]) -> list[Features | None]:
    """The features of each title as a sentence of its own; None where there is none. Equal titles share theirs."""
    known = list(dict.fromkeys(title for title in titles if title))
    made = featurizer.make([Words((), title[:LONGEST_TITLE]) for title in known])
    by_title = dict(zip(known, made, strict=True))
    return [by_title.get(title) for title in titles]


def epoch_batches(config: TrainConfig, prepared: Prepared, epoch: int) -> list[list[int]]:
    """The epoch's batches of item indexes: drawn by data set's weight, of similar length, in random order.

    Depends on the seed and the epoch alone, so that a resumed run has the same batches.
    """
    rng = np.random.default_rng((config.seed, epoch))
    first = round(rng.uniform(0.4, 1.0) * config.window) if config.window else 0
    runs = prepared.runs(range(len(prepared.items)), first)
    drawn: list[int] = []
    names = [prepared.examples[prepared.items[run[0]].example].dataset for run in runs]
    for name in dict.fromkeys(names):
        mine = [index for index, other in enumerate(names) if other == name]
        whole, part = divmod(config.weights.get(name, 1.0), 1.0)
        drawn += mine * int(whole)
        drawn += rng.permutation(mine)[: round(part * len(mine))].tolist()
    lengths = {index: _pieces(prepared, runs[index]) for index in set(drawn)}
    noisy = np.array([lengths[index] for index in drawn]) + rng.uniform(0, 6, len(drawn))  # not the same neighbours
    batches, batch, longest, count = [], list[int](), 0, 0
    for index in np.array(drawn)[np.argsort(noisy, kind="stable")].tolist():
        longest = max(longest, lengths[index])
        full = len(batch) >= config.batch if config.batch else longest * (count + 1) > config.batch_pieces
        if batch and full:
            batches.append(batch)
            batch, longest, count = [], lengths[index], 0
        batch += runs[index]
        count += 1
    batches.append(batch)
    return [batches[place] for place in rng.permutation(len(batches))]


def _pieces(prepared: Prepared, run: Sequence[int]) -> int:
    """The word pieces of a window of these items, or of one item after its title."""
    features = [prepared.titled[prepared.items[item].example] for item in run]
    title = TITLE_PIECES if prepared.window else 0
    return sum(len(one.ids) for one in features) + title


def make_batch(
    config: TrainConfig, prepared: Prepared, rows: InputRows, chosen: Sequence[int], band: int, rng: np.random.Generator
) -> tuple[Batch, AnyTargets]:
    """The batch of these items, some without their title, with some co-occurrence levels hidden."""
    items = [prepared.items[index] for index in chosen]
    bare = rng.random(len(items)) < config.title_dropped
    features = [
        (prepared.plain if drop else prepared.titled)[item.example] for item, drop in zip(items, bare, strict=True)
    ]
    windows = prepared.windows(chosen, lambda: rng.random() < config.title_dropped)
    batch = rows.batch([prepared.row(rows, *pair) for pair in zip(items, features, strict=True)], windows)
    batch.together.masked_fill_(torch.from_numpy(rng.random(batch.together.shape) < config.dropped_pairs), 0)
    examples = [prepared.examples[item.example] for item in items]
    targets = prepared.head.targets(examples, items, prepared.inventory, band, config.noise, rng, windows)
    return batch, targets
