"""The training loop for every head: a generator of steps, and the state from which a killed run continues.

A step depends on the config, the data and the step's number alone (random numbers are seeded by step), so a run that
was killed and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from extraction.features.batch import Batch, to_device
from extraction.features.targets import AnyTargets
from training.config import TrainConfig
from training.data.preparation import epoch_batches, make_batch
from training.data.prepared import Prepared
from training.engine import run_state
from training.engine.distributed import World
from training.engine.optimizer import autocast_type, device_of, make_optimizer, schedule
from training.engine.run_state import StateError

__all__ = ["Run", "RunProgress", "StateError", "schedule"]

AVERAGE_EVERY = 8  # steps: following each one costs a tenth of the time

Losses = dict[str, float]
Evaluate = Callable[[nn.Module], dict[str, float]]


@dataclass
class RunProgress:
    """A run's progress. `losses` are the named losses of each step, `scores` the results of each evaluation on dev."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    steps: int = 0
    seconds: float = 0.0
    losses: list[Losses] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)
    best: int = -1  # index into `scores`
    finished: bool = False

    @property
    def passing(self) -> int:
        """The epoch of the last step, from 1."""
        return max(1, self.epoch + (self.batch > 0))

    def recent(self, steps: int = 100) -> Losses:
        """The mean of each loss over those of the last steps that had it (RelFormer's filter needs facts)."""
        rows = self.losses[-steps:]
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: fmean(row[name] for row in rows if name in row) for name in names}


class Run:
    """One training run in memory: network, moving average, optimiser, progress.

    `evaluate` scores a network on dev ("f1" decides); it is called every `evaluate_every` epochs.
    """

    def __init__(
        self,
        config: TrainConfig,
        prepared: Prepared,
        network: nn.Module,
        evaluate: Evaluate | None = None,
        world: World | None = None,
    ) -> None:
        self.config, self.prepared, self.evaluate = config, prepared, evaluate
        self.world = world or World()
        self.device = self.world.device or device_of(config.device)
        moved: Any = network.to(self.device)
        self.network = moved
        self.rows = prepared.rows(self.network.needs)
        self.network.encoder.freeze_pieces(config.frozen_pieces)
        self.network.encoder.freeze_shapes(not config.shapes)
        self.optimizer = make_optimizer(config, network)
        self.parameters = [weight for weight in network.parameters() if weight.requires_grad]
        self.average = [weight.detach().clone() for weight in self.parameters]
        self.best: list[Tensor] = []  # the weights that scored best, and then the buffers (batch norms' statistics)
        self.progress = RunProgress(steps=sum(len(epoch_batches(config, prepared, e)) for e in range(config.epochs)))
        self.dtype = autocast_type(config.precision, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    def train(
        self,
        folder: Path | None = None,
        report: Callable[[RunProgress], object] = lambda progress: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """All steps; False where `stop` or the time limit ended it, with its state saved."""
        for progress in self.steps(folder, stop):
            report(progress)
        return self.progress.finished

    def steps(self, folder: Path | None = None, stop: Callable[[], bool] = lambda: False) -> Iterator[RunProgress]:
        """Trains; gives the progress after each step and each evaluation."""
        began = last_save = time.monotonic()
        started = began - self.progress.seconds
        progress, config = self.progress, self.config
        while progress.epoch < config.epochs and not progress.finished:
            batches = epoch_batches(config, self.prepared, progress.epoch)
            for batch_and_targets in self._batches(batches[progress.batch :]):
                self.step(*batch_and_targets)
                progress.batch += 1
                progress.seconds = time.monotonic() - started
                yield progress
                over = 0 < 60 * config.max_minutes < time.monotonic() - began
                if self.world.agree(float(over or stop())):
                    self.save(folder)
                    return
                if self.world.agree(float(time.monotonic() - last_save > 60 * config.save_minutes)):
                    self.save(folder)
                    last_save = time.monotonic()
            progress.epoch, progress.batch = progress.epoch + 1, 0
            due = config.evaluate_every and progress.epoch % config.evaluate_every == 0
            if due and progress.epoch >= min(config.first_evaluation, config.epochs):
                self._judge()
                yield progress
        progress.finished = True
        self.save(folder)

    def step(self, batch: Batch, targets: AnyTargets, weight: float = 1.0) -> Losses:
        """One update. `weight`: of this process's share of the batch."""
        config, step = self.config, self.progress.step
        torch.manual_seed((config.seed << 32) + step * self.world.size + self.world.rank)
        halvings = self.progress.epoch // config.halve_every if config.halve_every else None
        rate = schedule(step, self.progress.steps, config.warmup, halvings)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial"] * rate
        self.network.train()
        with torch.autocast(self.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None):
            losses = self.network.loss(to_device(batch, self.device), to_device(targets, self.device))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["total"] * weight).backward()
        self.world.average(self.parameters)
        self.scaler.unscale_(self.optimizer)
        if config.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, config.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._follow(step)
        self.progress.step += 1
        values = {name: value.item() for name, value in losses.items()}
        self.progress.losses.append(values)
        return values

    def _batches(self, batches: list[list[int]]) -> Iterator[tuple[Batch, AnyTargets, float]]:
        """The batches' tensors. Beside a GPU the next ones are made while it computes."""
        steps = range(self.progress.step, self.progress.step + len(batches))
        work = list(zip(batches, steps, strict=True))
        if self.device.type == "cpu":
            yield from (self._make(*one) for one in work)
            return
        with ThreadPoolExecutor(1) as pool:
            ahead = [pool.submit(self._make, *one) for one in work[:2]]
            for one in [*work[2:], None, None][: len(work)]:
                batch_and_targets = ahead.pop(0).result()
                if one is not None:
                    ahead.append(pool.submit(self._make, *one))
                yield batch_and_targets

    def _make(self, chosen: list[int], step: int) -> tuple[Batch, AnyTargets, float]:
        rng = np.random.default_rng((self.config.seed, step, 1))
        mine, weight = self.world.share(chosen)
        band = getattr(self.network.config, "band", 1)
        return *make_batch(self.config, self.prepared, self.rows, mine, band, rng), weight

    def _judge(self) -> None:
        """Scores on dev, keeps the best weights, and ends the run when it has not been better for long enough."""
        progress, patience = self.progress, self.config.patience
        scores: dict[str, float] = {}
        if self.world.main and self.evaluate is not None:
            with self.averaged_weights():
                scores = self.evaluate(self.network.eval())
        scores["f1"] = self.world.agree(scores.get("f1", 0.0))
        progress.scores.append({"epoch": progress.epoch, "step": progress.step, **scores})
        if progress.best < 0 or scores["f1"] > progress.scores[progress.best]["f1"]:
            progress.best = len(progress.scores) - 1
            with self.averaged_weights():
                self.best = [value.detach().clone() for value in (*self.parameters, *self.network.buffers())]
        elif patience and len(progress.scores) - 1 - progress.best >= patience:
            progress.finished = True

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        if self.config.average and step % AVERAGE_EVERY == 0:
            keep = min(self.config.average, (1 + step) / (10 + step)) ** AVERAGE_EVERY
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self.parameters], 1 - keep)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The network with its moving average as weights, for a while."""
        if not self.config.average:
            yield
            return
        own = [weight.detach().clone() for weight in self.parameters]
        self._set(self.average)
        try:
            yield
        finally:
            self._set(own)

    def averaged(self) -> Any:
        """The network to keep: its best weights on dev, or its moving average. The run cannot continue with it."""
        if self.best:
            self._set(self.best[: len(self.parameters)])
            with torch.no_grad():
                for buffer, value in zip(self.network.buffers(), self.best[len(self.parameters) :], strict=True):
                    buffer.copy_(value)
        elif self.config.average:
            self._set(self.average)
        return self.network.eval()

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for weight, value in zip(self.parameters, values, strict=True):
            weight.copy_(value)

    def save(self, folder: Path | None) -> None:
        """Writes the whole state; a reader sees the old one or the new one, never half of one."""
        if folder is None or not self.world.main:
            return
        progress = {**vars(self.progress), "scaler": self.scaler.state_dict()}
        run_state.write(folder, self._tensors(), progress, self.config.as_dict())

    def resume(self, folder: Path) -> bool:
        """Takes up the state in `folder`; False where there is none. Raises StateError where it is another run's."""
        state = run_state.read(folder, self.config.as_dict())
        if state is None:
            return False
        tensors, progress = state
        if scaler := progress.pop("scaler", {}):
            self.scaler.load_state_dict(scaler)
        self._restore(tensors)
        self.progress = RunProgress(**progress)
        return True

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"buffer.{name}": value for name, value in self.network.named_buffers()}
        for number, (weight, mean) in enumerate(zip(self.parameters, self.average, strict=True)):
            tensors[f"weight.{number}"], tensors[f"average.{number}"] = weight, mean
            for name, value in self.optimizer.state[weight].items():
                tensors[f"{name}.{number}"] = value
        tensors |= {f"best.{number}": value for number, value in enumerate(self.best)}
        return tensors

    @torch.no_grad()
    def _restore(self, tensors: dict[str, Tensor]) -> None:
        for name, value in self.network.named_buffers():
            if f"buffer.{name}" in tensors:
                value.copy_(tensors[f"buffer.{name}"])
        for number, (weight, mean) in enumerate(zip(self.parameters, self.average, strict=True)):
            weight.copy_(tensors[f"weight.{number}"])
            mean.copy_(tensors[f"average.{number}"])
            self.optimizer.state[weight] = run_state.optimizer_state(tensors, number, self.device)
        kept = sum(name.startswith("best.") for name in tensors)
        self.best = [tensors[f"best.{number}"].to(self.device) for number in range(kept)]
