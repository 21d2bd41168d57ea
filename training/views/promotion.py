"""What a promotion would change: why it is refused, figures beside production's, assertions by new thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from extraction.models import Checkpoint, Deployment
from kgbuilder import deployment
from knowledge.record import current, thresholds
from training.models import Evaluation, Work

AFTER_TRAINING = "after training"
Measured = dict[tuple[str, str, str], float]


@dataclass(frozen=True, slots=True)
class FigureBeside:
    """F1 of one metric on one split, of the candidate and of production; None where it was not measured."""

    data: str
    metric: str
    own: float | None
    production: float | None

    @property
    def lower(self) -> bool:
        return self.own is not None and self.production is not None and self.own < self.production


@dataclass(frozen=True, slots=True)
class Prospect:
    """`refusal`: why the checkpoint cannot be promoted; `activated` and `deactivated` count the assertions of current
    readings that its thresholds would turn on and off."""

    refusal: str
    figures: tuple[FigureBeside, ...]
    activated: int
    deactivated: int

    @property
    def common(self) -> bool:
        """Whether any metric was measured for both on the same examples."""
        return any(one.own is not None and one.production is not None for one in self.figures)

    @property
    def lower(self) -> bool:
        return any(one.lower for one in self.figures)


def prospect(candidate: Checkpoint, active: Deployment | None) -> Prospect:
    if active is None:
        return Prospect(refusal(candidate), (), 0, 0)
    activated, deactivated = current.difference(thresholds.active(), deployment.thresholds_of(candidate))
    return Prospect(refusal(candidate), figures_beside(candidate, active.checkpoint), activated, deactivated)


def refusal(candidate: Checkpoint) -> str:
    try:
        deployment.check_labels(candidate)
    except deployment.ForeignLabels as error:
        return str(error)
    return ""


def figures_beside(candidate: Checkpoint, production: Checkpoint) -> tuple[FigureBeside, ...]:
    """One for each metric of either checkpoint; where both have any in common, only of those data."""
    own, other = _measured(candidate), _measured(production)
    shared = {key[:2] for key in own} & {key[:2] for key in other}
    keys = [key for key in dict.fromkeys([*own, *other]) if not shared or key[:2] in shared]
    return tuple(
        FigureBeside(f"{data}, {split}", name, own.get(key), other.get(key))
        for key in keys
        for data, split, name in [key]
    )


def _measured(checkpoint: Checkpoint) -> Measured:
    """F1 by data set, split and metric: of the evaluations, the newest of each, and of the test after training."""
    found: Measured = {}
    done = Evaluation.objects.filter(checkpoint=checkpoint, state=Work.State.DONE, options={})
    for one in done.select_related("dataset").order_by("pk"):
        for figure in one.metrics.get("figures", []):
            found[one.dataset.name, one.split, figure["name"]] = figure["f1"]
    return found | dict(_after_training(checkpoint.metrics))


def _after_training(metrics: Any) -> Iterator[tuple[tuple[str, str, str], float]]:
    """The metrics in a checkpoint's config come from its folder, which is not trusted: what has another form is left
    out."""
    test = metrics.get("test", []) if isinstance(metrics, dict) else []
    rows = test.get("data_sets", []) if isinstance(test, dict) else test
    for row in rows if isinstance(rows, list) else []:
        for field, name in (("asserted", "relations as asserted in use"), ("mentions", "mentions")):
            score = _f1(row.get(field)) if isinstance(row, dict) else None
            if score is not None:
                yield (str(row.get("dataset")), f"test, {AFTER_TRAINING}", name), score


def _f1(counts: Any) -> float | None:
    """None where nothing is annotated, or the counts are no numbers."""
    try:
        right, predicted, gold = (int(counts[name]) for name in ("right", "predicted", "gold"))
    except (TypeError, KeyError, ValueError):
        return None
    return 2 * right / (predicted + gold) if gold > 0 and predicted >= 0 else None
