"""The audit of a data set as it lies on disk, and its report as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from extraction.datasets import registry
from extraction.datasets.mnre import with_grounding
from extraction.datasets.registry import DatasetError
from extraction.schema import Example
from training.data.label_leakage import Audit, audit


def audit_files(name: str, root: Path, against: Sequence[str] = ()) -> tuple[Audit, list[str]]:
    """Audits a named set; `against`: sets whose dev and test texts its train split must not hold.

    MNRE's published grounding regions, which no training reads, are examined where they lie beside it. Raises
    DatasetError.
    """
    splits: dict[str, list[Example]] = {}
    missing = []
    for split in registry.SPLITS:
        try:
            examples = registry.load(name, split, root, "native")
        except DatasetError as problem:
            missing.append(f"{split}: left out ({problem})")
            continue
        splits[split] = with_grounding(examples, split, root) if name == "mnre" else examples
    if not splits:
        raise DatasetError(missing[0])
    held_out = [(other, split) for other in against for split in ("dev", "test")]
    others = {f"{other}'s {split}": registry.load(other, split, root, "native") for other, split in held_out}
    result = audit(name, splits, others)
    return result, [*missing, *lines(result)]


def lines(result: Audit) -> Iterator[str]:
    """The report, table by table; warnings last."""
    for split, (examples, items) in result.counts.items():
        yield f"{result.name} {split}: {examples} examples, {items} items"
    yield ""
    yield f"{'feature':18} {'split':6} {'related or not':>14}   the label that it predicts best (AUC, 0.50 = chance)"
    for leak in result.features:
        best = f"{leak.best_auc:.2f} {leak.best_label}" if leak.best_label else "-"
        yield f"{leak.feature:18} {leak.split:6} {leak.auc:14.2f}   {best}"
    yield ""
    yield f"{'features of':11} {'split':14} {'accuracy':>8} {'commonest':>9} {'AUC':>5}   a classifier on them alone"
    for guess in result.guesses:
        yield f"{guess.kind:11} {guess.split:14} {guess.accuracy:8.1%} {guess.commonest:9.1%} {guess.auc:5.2f}"
    yield ""
    for split, count in result.pictures.items():
        yield f"{count:6d} texts under several pictures in {split}"
    yield from (f"WARNING  {warning}" for warning in result.warnings)
    if not result.warnings:
        yield "No warnings."
