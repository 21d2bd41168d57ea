"""The training loop: one page, and what it keeps so that a killed run goes on where it was.

A step depends on the config, the data and the step's number alone (random numbers are seeded by step), so a run that
was killed and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from extraction.batch import Batch, Targets, collate, targets
from extraction.networks.eega import EEGA, Losses
from training.config import TrainConfig
from training.prepare import Prepared, epoch_batches

STATE = "state.safetensors"
AVERAGE_EVERY = 8  # steps: following each one costs a tenth of the time


@dataclass
class Progress:
    """How far a run is. `losses` are (types, relations) of each step."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    steps: int = 0
    seconds: float = 0.0
    losses: list[tuple[float, float]] = field(default_factory=list)


class StateError(Exception):
    """A run's saved state does not fit its config; the message says what to do."""


class Run:
    """One training run in memory: network, moving average, optimiser, progress."""

    def __init__(self, config: TrainConfig, prepared: Prepared, network: EEGA) -> None:
        self.config, self.prepared, self.network = config, prepared, network
        network.encoder.freeze_pieces(config.frozen_pieces)
        self.optimizer = make_optimizer(config, network)
        self.parameters = [weight for weight in network.parameters() if weight.requires_grad]
        self.average = [weight.detach().clone() for weight in self.parameters]
        self.progress = Progress(steps=sum(len(epoch_batches(config, prepared, e)) for e in range(config.epochs)))
        self.bf16 = use_bf16(config.precision)

    def train(
        self,
        folder: Path | None = None,
        report: Callable[[Progress], None] = lambda progress: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Steps until the last epoch's end; False where `stop` or the time limit ended it, with its state saved."""
        started, saved = time.monotonic() - self.progress.seconds, time.monotonic()
        self.network.train()
        while self.progress.epoch < self.config.epochs:
            batches = epoch_batches(self.config, self.prepared, self.progress.epoch)
            while self.progress.batch < len(batches):
                self.step(batches[self.progress.batch])
                self.progress.batch += 1
                self.progress.seconds = time.monotonic() - started
                report(self.progress)
                over = 0 < 60 * self.config.max_minutes < self.progress.seconds
                if over or stop():
                    self.save(folder)
                    return False
                if time.monotonic() - saved > 60 * self.config.save_minutes:
                    self.save(folder)
                    saved = time.monotonic()
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0
        self.save(folder)
        return True

    def step(self, rows: list[int]) -> Losses:
        """One update on the examples `rows`."""
        config, step = self.config, self.progress.step
        torch.manual_seed((config.seed << 32) + step)
        rate = schedule(step, self.progress.steps, config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial"] * rate
        rng = np.random.default_rng((config.seed, step, 1))
        batch, wanted = make_batch(config, self.prepared, rows, self.network.config.band, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            losses = self.network.loss(batch, wanted)
        total = losses.types + self.network.config.relation_weight * losses.relations
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, config.clip)
        self.optimizer.step()
        self._follow(step)
        self.progress.step += 1
        self.progress.losses.append((losses.types.item(), losses.relations.item()))
        return losses

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        if self.config.average and step % AVERAGE_EVERY == 0:
            keep = min(self.config.average, (1 + step) / (10 + step)) ** AVERAGE_EVERY
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self.parameters], 1 - keep)

    @torch.no_grad()
    def averaged(self) -> EEGA:
        """The network with its moving average as weights, for use; the run cannot go on with it."""
        if self.config.average:
            for weight, mean in zip(self.parameters, self.average, strict=True):
                weight.copy_(mean)
        return self.network.eval()

    def save(self, folder: Path | None) -> None:
        """Writes the whole state; a reader sees the old one or the new one, never half of one."""
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / (STATE + ".new")
        info = json.dumps({**vars(self.progress), "config": self.config.as_dict()})
        save_file(self._tensors(), fresh, metadata={"progress": info})
        fresh.replace(folder / STATE)

    def resume(self, folder: Path) -> bool:
        """Takes up the state in `folder`; False where there is none. Raises StateError where it is another run's."""
        from safetensors import safe_open

        path = folder / STATE
        if not path.exists():
            return False
        with safe_open(path, "pt") as file:
            info = json.loads((file.metadata() or {}).get("progress", "{}"))
        limits = ("max_minutes", "save_minutes", "threads")
        theirs = {key: value for key, value in info.pop("config", {}).items() if key not in limits}
        ours = {key: value for key, value in self.config.as_dict().items() if key not in limits}
        if json.loads(json.dumps(ours)) != theirs:
            raise StateError(
                f"{path} was saved by a run with other settings. Use another --out, or leave --resume out."
            )
        self._restore(load_file(path))
        self.progress = Progress(**{**info, "losses": [tuple(pair) for pair in info["losses"]]})
        return True

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {}
        for number, (weight, mean) in enumerate(zip(self.parameters, self.average, strict=True)):
            tensors[f"weight.{number}"], tensors[f"average.{number}"] = weight.detach(), mean
            for name, value in self.optimizer.state[weight].items():
                tensors[f"{name}.{number}"] = value
        return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def _restore(self, tensors: dict[str, Tensor]) -> None:
        for number, (weight, mean) in enumerate(zip(self.parameters, self.average, strict=True)):
            weight.copy_(tensors[f"weight.{number}"])
            mean.copy_(tensors[f"average.{number}"])
            names = [name for name in ("step", "exp_avg", "exp_avg_sq") if f"{name}.{number}" in tensors]
            self.optimizer.state[weight] = {name: tensors[f"{name}.{number}"] for name in names}


def make_optimizer(config: TrainConfig, network: EEGA) -> torch.optim.AdamW:
    """AdamW; the encoder learns slower than what is new, and biases, norms and embeddings' scales do not decay."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if not weight.requires_grad:
            continue
        stock = name.startswith("encoder.model.")
        groups.setdefault((stock, weight.ndim > 1), []).append(weight)
    return torch.optim.AdamW(
        [
            {
                "params": weights,
                "initial": config.encoder_rate if stock else config.head_rate,
                "weight_decay": config.decay if decays else 0.0,
            }
            for (stock, decays), weights in groups.items()
        ],
        lr=config.head_rate,
        fused=True,
    )


def schedule(step: int, steps: int, warmup: float) -> float:
    """Linear from 0 to 1 over the first share `warmup` of the steps, then linear to 0."""
    rising = max(1, round(warmup * steps))
    return min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))


def make_batch(
    config: TrainConfig, prepared: Prepared, rows: list[int], band: int, rng: np.random.Generator
) -> tuple[Batch, Targets]:
    """The batch of these examples, some without their title, with some co-occurrence levels hidden."""
    bare = rng.random(len(rows)) < config.title_dropped
    features = [prepared.plain[row] if drop else prepared.titled[row] for row, drop in zip(rows, bare, strict=True)]
    batch = collate(features)
    batch.together.masked_fill_(torch.from_numpy(rng.random(batch.together.shape) < config.dropped_pairs), 0)
    examples = [prepared.examples[row] for row in rows]
    return batch, targets(examples, prepared.inventory, band, config.noise, rng)


def use_bf16(precision: str) -> bool:
    """Whether to train in bfloat16: with AMX it is three times as fast, on other processors several times slower."""
    if precision != "auto":
        return precision == "bf16"
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(supported and supported())
