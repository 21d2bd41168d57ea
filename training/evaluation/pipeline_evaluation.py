"""Mentions by one checkpoint, relations by another, scored as quintuples: what a joint system is compared with.

EEGA's Table 1 puts a tagger before MEGA. Here any checkpoint that finds mentions stands before any pair checkpoint of
the same labels; an error of the first cannot be put right by the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from extraction.labels import Inventory
from extraction.networks.systems import HeadName
from extraction.reader.calibration import log_odds
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.schema import Candidate, Example, WordSpan
from training.data.parse_cache import Parses
from training.data.preparation import prepare_for
from training.data.prepared import Head
from training.evaluation.metrics import Prediction
from training.evaluation.predictions import pair_logits
from training.evaluation.quintuple_scores import Predictor, score_predictions
from training.evaluation.word_pair_grid import ScoredRelation
from training.scores import Scores


def score_pipeline(
    mentions: LoadedCheckpoint,
    pairs: LoadedCheckpoint,
    heads: Mapping[HeadName, Head],
    examples: Sequence[Example],
    parser: Parses,
    images: str = "",
) -> Scores:
    """Raises ValueError where one of the two is not what it is meant for, or their types differ."""
    first, second = heads[mentions.manifest.head], heads[pairs.manifest.head]
    if first.pairs:
        raise ValueError(f"{mentions.manifest.name} finds no mentions: its head is {first.name}")
    if second.pairs != "mentions":
        raise ValueError(f"{pairs.manifest.name} relates no pairs of mentions: its head is {second.name}")
    if strange := set(mentions.manifest.inventory.types) - set(pairs.manifest.inventory.types):
        raise ValueError(f"{pairs.manifest.name} does not know the types {', '.join(sorted(strange))}")
    # A tagger that was trained on boxes alone is shown these still.
    looks = bool(mentions.manifest.training.get("config", {}).get("images"))
    found = predicted_mentions(mentions, first, examples, parser, images if looks else "")
    predictions = related(pairs, second, examples, found, parser, images)
    return score_predictions(examples, predictions, pairs.manifest.inventory)


def predicted_mentions(
    checkpoint: LoadedCheckpoint, head: Head, examples: Sequence[Example], parser: Parses, images: str = ""
) -> list[Prediction]:
    """The mentions that the first checkpoint finds in each example."""
    manifest = checkpoint.manifest
    prepared = prepare_for(checkpoint, head, examples, parser, images)
    found = head.predict(checkpoint.network, prepared)
    predictor = Predictor(manifest.inventory, manifest.calibration, manifest.thresholds)
    return [Prediction(one.mentions, ()) for one in predictor.predictions(found)]


def related(
    checkpoint: LoadedCheckpoint,
    head: Head,
    examples: Sequence[Example],
    found: Sequence[Prediction],
    parser: Parses,
    images: str = "",
) -> list[Prediction]:
    """The same mentions with each pair's most probable relation, where that is one and may join their types.

    Both orders of a pair are classified; the more confident answer stands: MNRE states a pair in one order only, so
    that a system trained on it never sees that the other order is wrong.
    """
    names = checkpoint.manifest.inventory
    questions = [_asked(example, one, names) for example, one in zip(examples, found, strict=True)]
    prepared = prepare_for(checkpoint, head, questions, parser, images)
    logits = pair_logits(checkpoint.network, prepared)
    best: list[dict[frozenset[int], ScoredRelation]] = [{} for _ in examples]
    for item, label, odds in zip(prepared.items, logits.argmax(1).tolist(), log_odds(logits), strict=True):
        candidate = item.candidate
        if not label or candidate is None:
            continue
        relation, ends = names.relations[label - 1], questions[item.example].mentions
        if relation.permits(ends[candidate.head].type, ends[candidate.tail].type):
            score = float(1 / (1 + np.exp(-odds[label])))
            relations, pair = best[item.example], frozenset((candidate.head, candidate.tail))
            if pair not in relations or score > relations[pair].score:
                relations[pair] = ScoredRelation(candidate.head, candidate.tail, relation.key, score)
    return [Prediction(one.mentions, tuple(relations.values())) for one, relations in zip(found, best, strict=True)]


def _asked(example: Example, found: Prediction, names: Inventory) -> Example:
    """The example with the found mentions in place of the annotated ones, and every pair that may be related."""
    spans = tuple(WordSpan(one.start, one.end, one.type) for one in found.mentions)
    candidates = tuple(
        Candidate(head, tail)
        for head, tail in permutations(range(len(spans)), 2)
        if any(relation.permits(spans[head].type, spans[tail].type) for relation in names.relations)
    )
    return replace(example, mentions=spans, relations=(), candidates=candidates)
