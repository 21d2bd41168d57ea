"""What a training step turns over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from extraction.networks.systems import Head
from extraction.schema import Candidate, Example


@dataclass(frozen=True, slots=True)
class Item:
    """What a step turns over: an example, or one of its candidate pairs."""

    example: int
    candidate: Candidate | None = None


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
