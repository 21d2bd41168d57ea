"""A run's state on disk: weights, averages, optimiser and progress in one file, replaced whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.config import TrainConfig

STATE = "state.safetensors"
# Settings that may differ between a run and the one that resumes it.
FREE = ("max_minutes", "save_minutes", "threads", "device", "images")


class StateError(Exception):
    """A run's saved state does not fit its config, or cannot be read; the message states what to do."""


def write(folder: Path, tensors: dict[str, Tensor], progress: dict[str, Any], config: dict[str, Any]) -> None:
    """A reader sees the old state or the new one, never half of one. Raises OSError where the disk is full."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / (STATE + ".new")
    whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(whole, fresh, metadata={"progress": json.dumps({**progress, "config": config})})
        fresh.replace(folder / STATE)
    except SafetensorError as error:  # its error for a full disk
        fresh.unlink(missing_ok=True)
        raise OSError(f"The state of the run cannot be written to {folder}: {error}") from error


def read(folder: Path, config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The state in `folder`; None where there is none. Raises StateError where it is another run's."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            progress: dict[str, Any] = json.loads((file.metadata() or {}).get("progress", "{}"))
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise StateError(f"{path} cannot be read ({error}). Delete it and start the run again.") from error
    # A setting that was added after the run began has its default: an update of the product ends no run.
    saved = {**json.loads(json.dumps(TrainConfig().as_dict())), **progress.pop("config", {})}
    theirs = {key: value for key, value in saved.items() if key not in FREE}
    ours = {key: value for key, value in json.loads(json.dumps(config)).items() if key not in FREE}
    if ours != theirs:
        differ = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
        raise StateError(
            f"{path} was saved by a run with other settings ({', '.join(differ)}). Use another --out, or leave "
            "--resume out."
        )
    return tensors, progress


def optimizer_state(tensors: dict[str, Tensor], number: int, device: torch.device) -> dict[str, Tensor]:
    """The optimiser's state of weight `number`."""
    names = [name for name in ("step", "exp_avg", "exp_avg_sq") if f"{name}.{number}" in tensors]
    return {name: tensors[f"{name}.{number}"].to(device) for name in names}
