"""Feature maps of pictures at four scales: RSRNeT's multi-scale visual features (F_1 to F_4).

The backbones are timm's (ResNeSt, ResNet), without their classifier; "tiny" is a small one of our own, for tests and
for small data sets.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from extraction.networks.encoders.text import VisionEncoderMissing

STAGES = 4
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which timm's weights for these were trained on
TINY = {"name": "tiny", "widths": [8, 16, 24, 32]}


class Pyramid(nn.Module):
    """Pictures (N, 3, s, s) uint8 -> maps (N, `channels[i]`, h_i, w_i) of four stages, the finest first.

    `still` leaves the backbone's batch norms at the statistics that they came with: a batch of four pictures a post is
    too small for new ones. A backbone with random weights has none and takes its batch's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, channels: tuple[int, ...], architecture: dict[str, Any]) -> None:
        super().__init__()
        self.backbone, self.channels, self.architecture = backbone, channels, architecture
        self.still = bool(architecture.get("still", False))
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    @classmethod
    def pretrained(cls, source: str = "resnest50d") -> Pyramid:
        """timm's model of this name with its weights. Raises VisionEncoderMissing."""
        try:
            return cls._timm({"name": source, "still": True}, pretrained=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise VisionEncoderMissing(
                f"The weights of {source} are not available ({error}). Allow the network, or train with random weights."
            ) from error

    @classmethod
    def blank(cls, architecture: dict[str, Any]) -> Pyramid:
        """Random weights: {"name": one of timm's} or TINY. Raises VisionEncoderMissing for a name unknown to timm."""
        if architecture["name"] == "tiny":
            widths = tuple(architecture["widths"])
            return cls(TinyBackbone(widths), widths, architecture)
        return cls._timm(architecture, pretrained=False)

    @classmethod
    def _timm(cls, architecture: dict[str, Any], pretrained: bool) -> Pyramid:
        import timm

        name = architecture["name"]
        if not timm.is_model(name.split(".")[0]):
            raise VisionEncoderMissing(f"timm has no model named {name!r}; RSRNeT's are resnest50d and resnet50")
        stages = tuple(range(1, STAGES + 1))
        backbone = timm.create_model(name, pretrained=pretrained, features_only=True, out_indices=stages)
        return cls(backbone, tuple(backbone.feature_info.channels()), architecture)  # type: ignore[union-attr, operator]

    def train(self, mode: bool = True) -> Pyramid:
        super().train(mode)
        if self.still:
            for module in self.backbone.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, pixels: Tensor) -> list[Tensor]:
        alone = self.training and len(pixels) == 1  # batch norm has no statistics of one picture's 1 x 1 map
        pictures = (pixels.expand(2, -1, -1, -1) if alone else pixels).to(self.mean.dtype) / 255
        maps: list[Tensor] = self.backbone((pictures - self.mean) / self.std)
        return [one[: len(pixels)] for one in maps]


class TinyBackbone(nn.Module):
    """Four convolutions, each halving the map or more: 1/4, 1/8, 1/16, 1/32 of the picture's sides, as ResNet's."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        strides, before = (4, 2, 2, 2), (3, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(into, out, stride + 1, stride, padding=stride // 2), nn.GELU())
            for into, out, stride in zip(before, widths, strides, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
