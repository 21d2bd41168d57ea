"""From which probability a pair counts as related.

F1 without the label none is not at its best where a relation has to be the most probable label: one that is half as
probable as none, among twenty others, is still worth saying. So the relation most probable among relations counts from
a probability chosen on dev, as a quintuple does. Every pair system is treated alike; the figures of the most probable
label, as the papers have them, stand beside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = tuple(step / 20 for step in range(2, 17))  # 0.10 .. 0.80

Labels = NDArray[np.int64]


def decided(logits: NDArray[np.float32], least: float | None = None) -> Labels:
    """(pairs, labels), none at 0 -> each pair's label: its likeliest relation where that has the probability `least`,
    else none. Without `least` the most probable label."""
    if least is None or not logits.size:
        return logits.argmax(1).astype(np.int64)
    shares = probabilities(logits)[:, 1:]
    return np.where(shares.max(1) >= least, 1 + shares.argmax(1), 0).astype(np.int64)


def best_least(logits: NDArray[np.float32], gold: Labels) -> float | None:
    """The probability with the highest F1 on these pairs, the lowest of several; None where none finds anything."""
    scored = [(_f1(decided(logits, least), gold), least) for least in STEPS]
    highest = max(score for score, _ in scored)
    return next(least for score, least in scored if score == highest) if highest else None


def least_of(manifest: Any) -> float | None:
    """What was chosen on dev when this checkpoint was made; None where nothing was, and the most probable counts."""
    chosen = manifest.metrics.get("dev", {}).get("best_f1_threshold")
    return None if chosen is None else float(chosen)


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The softmax of each row."""
    raised = np.exp(logits - logits.max(1, keepdims=True)) if logits.size else logits
    shares: NDArray[np.float32] = raised / raised.sum(1, keepdims=True) if logits.size else logits
    return shares


def _f1(found: Labels, gold: Labels) -> float:
    right = int(((found == gold) & (gold > 0)).sum())
    return 2 * right / max(1, int((found > 0).sum()) + int((gold > 0).sum()))
