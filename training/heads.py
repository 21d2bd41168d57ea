"""The heads: what each task that a network can be trained for does with data and with a network's outputs.

A new task is one more object in HEADS, and its name in `networks.systems.HeadName`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from extraction.features.targets import pair_targets, tag_targets, word_pair_targets
from extraction.networks.systems import SYSTEMS, HeadName
from training.data.prepared import Head
from training.evaluation.pair_scores import examine_pairs, score_pairs
from training.evaluation.predictions import found_by_tags, found_by_word_pairs, pair_logits
from training.evaluation.quintuple_scores import examine_found, score_found
from training.publishing.calibration import calibrate_pairs, calibrate_tags, calibrate_word_pairs

PAIR = Head(
    "pair",
    targets=lambda examples, items, names, *_: pair_targets(examples, [item.candidate for item in items], names),
    predict=pair_logits,
    calibrate=lambda dev, logits, config: calibrate_pairs(dev, logits),
    score=score_pairs,
    examine=examine_pairs,
    pairs="mentions",
)
REGION_PAIR = replace(PAIR, name="region_pair", pairs="regions")
TAGS = Head(
    "tags",
    targets=lambda examples, items, names, *_: tag_targets(examples, names),
    predict=found_by_tags,
    calibrate=lambda dev, found, config: calibrate_tags(dev, found),
    score=partial(score_found, related=False),
    examine=examine_found,
)
WORD_PAIRS = Head(
    "word_pairs",
    targets=lambda examples, items, *rest: word_pair_targets(examples, *rest),
    predict=found_by_word_pairs,
    calibrate=lambda dev, found, config: calibrate_word_pairs(dev, found, config.data, config.labels, config.longest),
    score=score_found,
    examine=examine_found,
    by_data_set=True,
)
HEADS: dict[HeadName, Head] = {head.name: head for head in (PAIR, REGION_PAIR, TAGS, WORD_PAIRS)}


def head_of(system: str, name: str = "") -> Head:
    """A system's head of this name, or its first. Raises ValueError for an unknown system or head."""
    if system not in SYSTEMS:
        raise ValueError(f"unknown system {system!r}; there are {', '.join(SYSTEMS)}")
    names = SYSTEMS[system].heads
    for one in names:
        if name in ("", one):
            return HEADS[one]
    raise ValueError(f"{system} has no head {name!r}; it has {', '.join(names)}")
