"""One process or several: each takes its share of a batch, and gradients are averaged by accelerate.

`accelerate launch --num_processes N -m training …` starts one for each GPU, `torchrun` also on processors.
A step then has the gradient of the whole batch, as one process would have it, but for the rounding of a sum in another
order and for dropout's draws.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn


class World:
    """The processes of a run. `main` reports, evaluates and writes."""

    def __init__(self, accelerator: Any = None) -> None:
        self.accelerator = accelerator
        self.rank: int = accelerator.process_index if accelerator else 0
        self.size: int = accelerator.num_processes if accelerator else 1

    @classmethod
    def current(cls, device: str) -> World:
        """The processes that a launcher has started, or this one alone."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return cls()
        from accelerate import Accelerator

        return cls(Accelerator(cpu=device == "cpu"))

    @property
    def main(self) -> bool:
        return self.rank == 0

    @property
    def device(self) -> torch.device | None:
        """This process's own device; None where it is the only process and may choose."""
        return self.accelerator.device if self.accelerator else None

    def share(self, rows: Sequence[int]) -> tuple[list[int], float]:
        """This process's rows, and their weight in a mean over all processes. Without a row it computes one for 0."""
        mine = list(rows[self.rank :: self.size])
        return (mine, len(mine) * self.size / len(rows)) if mine else (list(rows[:1]), 0.0)

    def average(self, weights: Iterable[nn.Parameter]) -> None:
        """Each gradient becomes its mean over the processes, one message for all of them."""
        if self.size == 1:
            return
        held = list(weights)
        grads = [weight.grad if weight.grad is not None else torch.zeros_like(weight) for weight in held]
        flat = self.accelerator.reduce(torch.cat([grad.flatten() for grad in grads]), "mean")
        for weight, part in zip(held, flat.split([grad.numel() for grad in grads]), strict=True):
            weight.grad = part.view_as(weight).clone()

    def agree(self, value: float) -> float:
        """The main process's value, in all of them."""
        if self.size == 1:
            return value
        from accelerate.utils import broadcast

        message = torch.tensor([value], dtype=torch.float64 if self.device == torch.device("cpu") else torch.float32)
        result: float = broadcast(message.to(self.device)).item()
        return result

    def leave(self) -> None:
        """Closes the process group once all are done: a process that just exits breaks the others' sockets."""
        import torch.distributed as joined

        if joined.is_available() and joined.is_initialized():
            joined.barrier()
            joined.destroy_process_group()
