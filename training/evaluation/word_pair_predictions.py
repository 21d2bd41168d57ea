"""What a checkpoint finds in a data set's examples, and how right that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from extraction.features.batch import Batch, collate, to_device
from extraction.features.featurizer import Features, by_length
from extraction.features.model_inputs import Rows
from extraction.labels import Inventory
from extraction.networks.eega import EEGA
from extraction.reader.calibration import Calibration
from extraction.reader.checkpoint import Checkpoint
from extraction.reader.decoding import Decoder, Found
from extraction.schema import Example
from training.data.parse_cache import Parses
from training.data.preparation import with_titles
from training.evaluation.metrics import Prediction, Score, mention_score, relation_score
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan

BATCH_PIECES = 1600


def features_of(checkpoint: Checkpoint, examples: Sequence[Example], parser: Parses, title: bool) -> list[Features]:
    """The examples as the network sees them in use, with their context where `title` says so."""
    parsed = parser.parse_words([example.words for example in examples])
    plain = checkpoint.featurizer.make(parsed)
    return with_titles(checkpoint.featurizer, examples, parsed, plain, own=False) if title else plain


def find_in(checkpoint: Checkpoint, examples: Sequence[Example], parser: Parses, title: bool) -> list[Found]:
    """What a checkpoint finds in each example, shown the objects of its picture where the network has a visual side."""
    features = features_of(checkpoint, examples, parser, title)
    manifest, network = checkpoint.manifest, checkpoint.network
    maker = Rows(network.needs, checkpoint.featurizer.tokenizer, classes=manifest.classes)
    shown = [maker.sentence(example, one) for example, one in zip(examples, features, strict=True)]
    return find(network, features, manifest.inventory, lambda rows: maker.batch([shown[row] for row in rows]))


@torch.inference_mode()
def find(
    network: EEGA, features: Sequence[Features], inventory: Inventory, made: Callable[[list[int]], Batch] | None = None
) -> list[Found]:
    """What the network finds in each sentence, in their order. `made` makes the batch of some; without it of words."""
    network.eval()
    device = next(network.parameters()).device
    decoder = Decoder(inventory)
    found: list[Found] = [Found()] * len(features)
    for rows in batches(features, BATCH_PIECES):
        batch = to_device(made(rows) if made else collate([features[row] for row in rows]), device)
        for row, one in zip(rows, decoder(network, batch, network(batch)), strict=True):
            found[row] = one
    return found


def batches(features: Sequence[Features], pieces: int) -> Iterator[list[int]]:
    """Indexes of sentences of similar length, at most `pieces` padded word pieces a batch."""
    batch: list[int] = []
    for index in by_length(features):
        if batch and len(features[index].ids) * (len(batch) + 1) > pieces:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@dataclass(frozen=True)
class Reader:
    """Turns what was found into predictions, by a calibration and thresholds."""

    inventory: Inventory
    calibration: Calibration
    thresholds: dict[str, float]

    def predictions(self, found: Sequence[Found]) -> list[Prediction]:
        return [self.prediction(one) for one in found]

    def prediction(self, found: Found) -> Prediction:
        """Mentions, and the relations that reach their threshold."""
        keys, types = self.inventory.relation_keys, self.inventory.types
        scores = self.calibration.mentions(found)
        mentions = [
            ScoredSpan(one.start, one.end, types[one.type], score)
            for one, score in zip(found.mentions, scores, strict=True)
        ]
        default = self.thresholds["default"]
        relations = [
            ScoredRelation(one.head, one.tail, keys[one.relation], score)
            for one, score in zip(found.relations, self.calibration.relations(found, keys), strict=True)
            if score >= self.thresholds.get(keys[one.relation], default)
        ]
        return Prediction(mentions, relations)


def best_threshold(
    examples: Sequence[Example], found: Sequence[Found], inventory: Inventory, calibration: Calibration
) -> tuple[float, Score]:
    """The one threshold with the highest strict relation F1."""
    tried = [step / 20 for step in range(2, 17)]
    reader = Reader(inventory, calibration, {"default": tried[0]})
    loose = reader.predictions(found)
    scored = [(threshold, relation_score(examples, _above(loose, threshold), inventory)) for threshold in tried]
    return max(scored, key=lambda pair: pair[1].f1)


def _above(predictions: Sequence[Prediction], threshold: float) -> list[Prediction]:
    return [
        Prediction(one.mentions, [relation for relation in one.relations if relation.score >= threshold])
        for one in predictions
    ]


__all__ = ["Reader", "batches", "best_threshold", "features_of", "find", "find_in", "mention_score"]
