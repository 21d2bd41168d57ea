"""Mentions by one checkpoint, relations by another, scored as quintuples: what a joint system is compared with.

EEGA's Table 1 puts a tagger before MEGA. Here any checkpoint that finds mentions stands before any pair checkpoint of
the same labels; an error of the first cannot be put right by the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from extraction.labels import Inventory
from extraction.reader.calibration import log_odds
from extraction.reader.checkpoint import Checkpoint
from extraction.schema import Candidate, Example, WordSpan
from training.data.parse_cache import Parses
from training.evaluation.evaluation import prepared_for
from training.evaluation.metrics import Prediction
from training.evaluation.predictions import pair_logits, read, tagged
from training.evaluation.scoring import Judgement, judge_reading
from training.evaluation.word_pair_grid import ScoredRelation
from training.evaluation.word_pair_predictions import Reader


def judge_pipeline(
    mentions: Checkpoint, pairs: Checkpoint, examples: Sequence[Example], parser: Parses, images: str = ""
) -> Judgement:
    """Raises ValueError where one of the two is not what it is meant for, or their types differ."""
    _check(mentions, pairs)
    # A tagger that was trained on boxes alone is shown these still.
    looks = bool(mentions.manifest.training.get("config", {}).get("images"))
    found = predicted_mentions(mentions, examples, parser, images if looks else "")
    predictions = related(pairs, examples, found, parser, images)
    return judge_reading(examples, predictions, pairs.manifest.inventory)


def _check(mentions: Checkpoint, pairs: Checkpoint) -> None:
    if mentions.manifest.head not in ("word_pairs", "tags"):
        raise ValueError(f"{mentions.manifest.name} finds no mentions: its head is {mentions.manifest.head}")
    if pairs.manifest.head != "pair":
        raise ValueError(f"{pairs.manifest.name} relates no pairs of mentions: its head is {pairs.manifest.head}")
    if strange := set(mentions.manifest.inventory.types) - set(pairs.manifest.inventory.types):
        raise ValueError(f"{pairs.manifest.name} does not know the types {', '.join(sorted(strange))}")


def predicted_mentions(
    checkpoint: Checkpoint, examples: Sequence[Example], parser: Parses, images: str = ""
) -> list[Prediction]:
    """The mentions that the first checkpoint finds in each example."""
    manifest = checkpoint.manifest
    prepared = prepared_for(checkpoint, examples, parser, images)
    network = checkpoint.network
    found = tagged(network, prepared) if prepared.head == "tags" else read(network, prepared)
    reader = Reader(manifest.inventory, manifest.calibration, manifest.thresholds)
    return [Prediction(one.mentions, ()) for one in reader.predictions(found)]


def related(
    checkpoint: Checkpoint, examples: Sequence[Example], found: Sequence[Prediction], parser: Parses, images: str = ""
) -> list[Prediction]:
    """The same mentions with each pair's most probable relation, where that is one and may join their types.

    Both orders of a pair are asked about, and the surer answer stands: MNRE states a pair in one order alone, so that a
    system trained on it never sees that the other order is wrong.
    """
    names = checkpoint.manifest.inventory
    asked = [_asked(example, one, names) for example, one in zip(examples, found, strict=True)]
    prepared = prepared_for(checkpoint, asked, parser, images)
    logits = pair_logits(checkpoint.network, prepared)
    surest: list[dict[frozenset[int], ScoredRelation]] = [{} for _ in examples]
    for item, label, odds in zip(prepared.items, logits.argmax(1).tolist(), log_odds(logits), strict=True):
        candidate = item.candidate
        if not label or candidate is None:
            continue
        relation, ends = names.relations[label - 1], asked[item.example].mentions
        if relation.permits(ends[candidate.head].type, ends[candidate.tail].type):
            score = float(1 / (1 + np.exp(-odds[label])))
            said, pair = surest[item.example], frozenset((candidate.head, candidate.tail))
            if pair not in said or score > said[pair].score:
                said[pair] = ScoredRelation(candidate.head, candidate.tail, relation.key, score)
    return [Prediction(one.mentions, tuple(said.values())) for one, said in zip(found, surest, strict=True)]


def _asked(example: Example, found: Prediction, names: Inventory) -> Example:
    """The example with the found mentions in place of the annotated ones, and every pair that may be related."""
    spans = tuple(WordSpan(one.start, one.end, one.type) for one in found.mentions)
    candidates = tuple(
        Candidate(head, tail)
        for head, tail in permutations(range(len(spans)), 2)
        if any(relation.permits(spans[head].type, spans[tail].type) for relation in names.relations)
    )
    return replace(example, mentions=spans, relations=(), candidates=candidates)
