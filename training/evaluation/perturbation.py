"""Held-out examples made harder, as FocalMRE tests itself: pictures that belong to other texts, regions that are wrong.

Align-Noise (its section 4.1): of a share of the examples the picture is another example's. Aug-Noise: of a share of all
regions each is either put somewhere else in the picture or left out, at random. Both are drawn by a seed. A region that
a pair is asked about is never left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from extraction.schema import Example, Region, SceneEdge


def shuffled_images(examples: Sequence[Example], share: float, seed: int = 0) -> list[Example]:
    """The examples, `share` of those that may have another picture with the picture and the regions of another of them.

    One that asks about a region of its own picture may not: nothing in another's would be what it asks about. Raises
    ValueError, also where no example could be changed: its figures would pass for those of shuffled pictures.
    """
    _check(share)
    rng = np.random.default_rng((seed, 1))
    free = [place for place, one in enumerate(examples) if not any(candidate.region for candidate in one.candidates)]
    chosen = sorted(free[place] for place in rng.permutation(len(free))[: round(share * len(free))].tolist())
    turned = list(examples)
    for place, other in zip(chosen, _moved_on(chosen, rng), strict=True):
        seen = {part: getattr(examples[other], part) for part in ("image", "regions", "scene", "grounded")}
        turned[place] = replace(examples[place], **seen)
    if share and not changed(examples, turned):
        raise ValueError(
            "No example could be given another's picture: all of them ask about regions of their own."
            if examples and not free
            else f"No picture was changed: {share:g} of {len(free)} examples leaves no two with different pictures."
        )
    return turned


def changed(before: Sequence[Example], after: Sequence[Example]) -> int:
    """How many of the examples have another picture or other regions than before."""
    return sum(
        (one.image, one.regions) != (other.image, other.regions) for one, other in zip(before, after, strict=True)
    )


def _moved_on(chosen: list[int], rng: np.random.Generator) -> list[int]:
    """The same places in another order, none at its own (one alone stays)."""
    order = rng.permutation(chosen).tolist()
    after = {one: order[(number + 1) % len(order)] for number, one in enumerate(order)}
    return [after[one] for one in chosen]


def disturbed_regions(examples: Sequence[Example], share: float, seed: int = 0) -> list[Example]:
    """The examples with `share` of all their regions moved or left out; raises ValueError."""
    _check(share)
    rng = np.random.default_rng((seed, 2))
    total = sum(len(example.regions) for example in examples)
    wrong = set(rng.permutation(total)[: round(share * total)].tolist())
    results, number = [], 0
    for example in examples:
        region_indexes = {candidate.tail for candidate in example.candidates if candidate.region}
        remaining: list[Region] = []
        unmoved: dict[int, int] = {}  # of regions that stay: their place before and now
        for place, region in enumerate(example.regions):
            if number not in wrong:
                unmoved[place] = len(remaining)
                remaining.append(region)
            elif region_indexes or rng.integers(2):  # indexes of candidates must hold
                remaining.append(region if place in region_indexes else _elsewhere(region, rng))
            number += 1
        results.append(replace(example, regions=tuple(remaining), scene=_left(example.scene, unmoved)))
    return results


def _left(scene: Sequence[SceneEdge] | None, unmoved: Mapping[int, int]) -> tuple[SceneEdge, ...] | None:
    """The relations between the regions that stay."""
    if scene is None:
        return None
    both = (edge for edge in scene if edge.subject in unmoved and edge.object in unmoved)
    return tuple(replace(edge, subject=unmoved[edge.subject], object=unmoved[edge.object]) for edge in both)


def _elsewhere(region: Region, rng: np.random.Generator) -> Region:
    """A box of any place and size."""
    (x, other_x), (y, other_y) = (sorted(rng.uniform(0, 1, 2).tolist()) for _ in range(2))
    return replace(region, box=(x, y, other_x - x, other_y - y))


def _check(share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
