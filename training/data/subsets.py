"""Which training items a run uses: all, a share, so many of each relation, and without what it leaves out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from extraction.schema import Example
from training.data.items import TrainingItem


def without(left_out: Mapping[str, Sequence[str]], example: Example) -> Example:
    """The example without what the run leaves out of its data set: unknown, rather than negative."""
    gone = frozenset(left_out.get(example.dataset, ()))
    if not gone:
        return example
    remaining = tuple(one for one in example.relations if one.key not in gone)
    return dataclasses.replace(example, relations=remaining, relation_keys=example.relation_keys - gone)


def chosen(
    items: list[TrainingItem], examples: Sequence[Example], fraction: float, per_relation: int, seed: int
) -> tuple[list[TrainingItem], list[str]]:
    """The items that `fraction` and `per_relation` leave, drawn by the seed, in their order; and notes about them."""
    rng = np.random.default_rng((seed, 7))
    order = rng.permutation(len(items)).tolist()
    if fraction < 1:
        order = order[: max(1, round(fraction * len(items)))]
    if per_relation:
        seen: Counter[str] = Counter()
        remaining = []
        for place in order:
            held = _held(items[place], examples)
            if any(seen[key] < per_relation for key in held):
                seen.update(held)
                remaining.append(place)
        order = remaining
    if len(order) == len(items):
        return items, []
    return [items[place] for place in sorted(order)], [f"{len(order)} of {len(items)} training items drawn"]


def _held(item: TrainingItem, examples: Sequence[Example]) -> set[str]:
    """An item's labels: its pair's relation; a sentence's relations, or the types of its mentions where it has no
    relations; "" for one without any."""
    if item.candidate is not None:
        return {item.candidate.key}
    example = examples[item.example]
    held = {one.key for one in example.relations} if example.relation_keys else {one.type for one in example.mentions}
    return held or {""}
