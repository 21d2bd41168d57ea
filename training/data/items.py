"""The items that a training step goes over."""

from __future__ import annotations

from dataclasses import dataclass

from extraction.schema import Candidate


@dataclass(frozen=True, slots=True)
class TrainingItem:
    """An example, or one of its candidate pairs."""

    example: int
    candidate: Candidate | None = None
