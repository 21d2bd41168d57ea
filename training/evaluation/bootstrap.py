"""Uncertainty of figures: intervals by resampling items, differences of two systems on the same items, several seeds.

Efron and Tibshirani: An Introduction to the Bootstrap (1993); paired as by Koehn (EMNLP 2004).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]  # (items, 3): right, found, gold
Floats = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval over resamples of its items."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class F1Difference:
    """The first system's F1 less the second's, on the same items, and how often resamples turn the sign (two-sided)."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Spread:
    """Several seeds: mean, sample standard deviation, smallest and largest."""

    mean: float
    deviation: float
    smallest: float
    largest: float
    runs: int


def interval(counts: Counts, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The micro F1 of these items with its 95 % interval."""
    values = _resampled(counts, _picks(len(counts), draws, seed))
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(f1(counts.sum(0)), float(low), float(high))


def figure_interval(sums: Floats, figure: Callable[[Floats], Floats], draws: int = DRAWS, seed: int = 0) -> Interval:
    """Any figure of summed rows, one row an item, with its 95 % interval. `figure` takes sums along the last axis.

    Resamples in which it is NaN, because nothing that it measures was drawn, are left out of the interval.
    """
    values = figure(_picks(len(sums), draws, seed) @ sums)
    known = values[~np.isnan(values)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (math.nan, math.nan)
    return Interval(float(figure(sums.sum(0))), float(low), float(high))


def difference(one: Counts, other: Counts, draws: int = DRAWS, seed: int = 0) -> F1Difference:
    """Raises ValueError where the two were not measured on as many items, or not on the same gold."""
    if one.shape != other.shape or (one[:, 2] != other[:, 2]).any():
        raise ValueError("two systems are compared on the same items of the same split: these were measured on others")
    picks = _picks(len(one), draws, seed)
    values = _resampled(one, picks) - _resampled(other, picks)
    low, high = np.quantile(values, (0.025, 0.975))
    share = min(float((values <= 0).mean()), float((values >= 0).mean()))
    return F1Difference(f1(one.sum(0)) - f1(other.sum(0)), float(low), float(high), min(1.0, 2 * share))


def spread(values: Sequence[float]) -> Spread:
    """Of one figure over runs that differ in their seed alone."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1)) if len(values) > 1 else 0.0
    return Spread(mean, deviation, min(values), max(values), len(values))


def f1(total: NDArray[np.int64] | Floats) -> float:
    """Micro F1 of summed counts."""
    right, found, gold = (float(value) for value in total)
    return 2 * right / (found + gold) if right else 0.0


def _picks(items: int, draws: int, seed: int) -> NDArray[np.int64]:
    """(draws, items): how often each item is drawn."""
    if not items:
        raise ValueError("there are no items to resample")
    return np.random.default_rng(seed).multinomial(items, np.full(items, 1 / items), draws)


def _resampled(counts: Counts, picks: NDArray[np.int64]) -> Floats:
    right, found, gold = (picks @ counts).astype(np.float64).T
    values: Floats = np.divide(2 * right, found + gold, out=np.zeros_like(right), where=found + gold > 0)
    return values
