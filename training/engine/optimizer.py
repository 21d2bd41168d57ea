"""A run's optimiser, learning rates over time, precision and device."""

from __future__ import annotations

import torch
from torch import nn

from extraction.networks.encoders.vit import VISION
from training.config import TrainConfig


def make_optimizer(config: TrainConfig, network: nn.Module) -> torch.optim.AdamW:
    """AdamW; encoders learn more slowly than new weights, and biases, norms and embeddings' scales do not decay."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    seeing = tuple(f"{name}." for name, part in network.named_modules() if isinstance(part, tuple(VISION.values())))
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            if name.startswith(seeing):
                rate = config.vision_rate or config.encoder_rate
            else:
                rate = config.encoder_rate if name.startswith("encoder.model.") else config.head_rate
            groups.setdefault((rate, weight.ndim > 1), []).append(weight)
    rows = [
        {"params": weights, "initial": rate, "weight_decay": config.decay if decays else 0.0}
        for (rate, decays), weights in groups.items()
    ]
    return torch.optim.AdamW(rows, lr=config.head_rate, fused=True)


def schedule(step: int, steps: int, warmup: float, halvings: int | None = None) -> float:
    """Linear from 0 to 1 over the first share `warmup` of the steps, then linear to 0.

    `halvings`: how often the rate has been halved by this step; then it does not fall otherwise.
    """
    rising = max(1, round(warmup * steps))
    if halvings is not None:
        return min((step + 1) / rising, 0.5**halvings)
    return min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))


def device_of(name: str) -> torch.device:
    """The device that a config names. Raises ValueError where there is no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("this machine has no GPU that torch can use: set device to cpu or auto")
    return torch.device(name)


def autocast_type(precision: str, device: torch.device) -> torch.dtype | None:
    """The type that is computed in, None for fp32. Raises ValueError for fp16 on a processor.

    "auto": bfloat16 on a GPU that has it, fp16 on others; on a processor bfloat16 with AMX, where it is three times as
    fast, or AVX512-BF16 (1.8 times), and fp32 on others, where it is several times slower.
    """
    if precision == "fp16" and device.type == "cpu":
        raise ValueError("fp16 needs a GPU: set precision to auto, bf16 or fp32")
    chosen = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
    if precision in chosen:
        return chosen[precision]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    capabilities = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return torch.bfloat16 if any(supported() for supported in capabilities if supported) else None
