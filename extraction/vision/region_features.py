"""What a region's pixels show, as numbers, for networks that take the features of objects (MEGA, Eq. 3; EEGA, Eq. 2).

Where an image encoder is set (`REGION_FEATURES`, a folder that transformers reads: CLIP, DINOv2, ViT), a region's
features are its state of the part of the picture within the box. Otherwise they are a description that needs no
weights: the mean colours of a grid of cells, the shares of coarse colours, and the directions of edges by quarter. It
tells a red shirt from a blue one and a pole from a beam; it does not know what a thing is. Before either stand the
detector's scores of all its classes (0 for a face), so that a region is not only what it most probably is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from extraction.schema import Region
from extraction.vision.focal_frames import crops

SIDE, CELLS, LEVELS, DIRECTIONS, QUARTERS = 32, 4, 4, 8, 2


class FeaturesMissing(Exception):
    """The image encoder is not available; the message names the remedy."""


class RegionEncoder(Protocol):
    """`version` identifies it with its weights."""

    version: str

    def encode(self, picture: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
        """(k, d) float32 of the regions of one picture (height, width, 3) uint8."""
        ...


class ColoursAndEdges:
    """The description without weights: 144 numbers of 0..1."""

    version = "colours-edges-1"

    def encode(self, picture: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
        parts = crops(picture, [region.box for region in regions], SIDE).astype(np.float32) / 255.0
        if not len(parts):
            return np.zeros((0, 3 * CELLS**2 + LEVELS**3 + DIRECTIONS * QUARTERS**2), np.float32)
        described = [_cells(parts), _colours(parts), _edges(parts)]
        return np.concatenate(described, axis=1).astype(np.float32)


def _cells(parts: np.ndarray) -> np.ndarray:
    """The mean colour of each of CELLS x CELLS cells."""
    size = SIDE // CELLS
    means: np.ndarray = parts.reshape(len(parts), 3, CELLS, size, CELLS, size).mean(axis=(3, 5))
    return means.reshape(len(parts), -1)


def _colours(parts: np.ndarray) -> np.ndarray:
    """The share of the pixels with each of LEVELS^3 coarse colours."""
    coarse = np.minimum((parts * LEVELS).astype(np.int64), LEVELS - 1)
    numbers = (coarse * np.array([LEVELS**2, LEVELS, 1])[:, None, None]).sum(axis=1).reshape(len(parts), -1)
    return np.stack([np.bincount(row, minlength=LEVELS**3) / row.size for row in numbers])


def _edges(parts: np.ndarray) -> np.ndarray:
    """For each quarter the share of DIRECTIONS in the strength of its edges; 0 where nothing changes."""
    grey = parts.mean(axis=1)
    down, right = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, right)
    turn = (np.arctan2(down, right) % np.pi) / np.pi
    direction = np.minimum((turn * DIRECTIONS).astype(np.int64), DIRECTIONS - 1)
    each = np.eye(DIRECTIONS)[direction] * strength[..., None]
    size = SIDE // QUARTERS
    sums = each.reshape(len(parts), QUARTERS, size, QUARTERS, size, DIRECTIONS).sum(axis=(2, 4))
    total = sums.sum(axis=-1, keepdims=True)
    shares: np.ndarray = np.divide(sums, total, out=np.zeros_like(sums), where=total > 1e-6)
    return shares.reshape(len(parts), -1)


class TransformersFeatures:
    """An image encoder of transformers, read from a folder, safetensors only."""

    def __init__(self, model: Any, processor: Any, version: str, device: str = "cpu") -> None:
        self.model, self.processor, self.version, self.device = model.to(device).eval(), processor, version, device

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> TransformersFeatures:
        """Raises FeaturesMissing. Nothing is fetched."""
        try:
            from transformers import AutoImageProcessor, AutoModel

            model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        except (ImportError, OSError, ValueError) as error:
            raise FeaturesMissing(f"No image encoder can be read from {folder} ({str(error)[:200]}).") from error
        model = getattr(model, "vision_model", model)
        return cls(model, processor, f"{model.config.model_type}-{folder.name}", device)

    def encode(self, picture: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
        """The state of the first token (the class token) of each part, its length brought to 1."""
        import torch

        if not regions:
            return np.zeros((0, int(self.model.config.hidden_size)), np.float32)
        side = 224
        parts = crops(picture, [region.box for region in regions], side).transpose(0, 2, 3, 1)
        inputs = self.processor(images=list(parts), return_tensors="pt").to(self.device)
        with torch.inference_mode():
            states = self.model(**inputs).last_hidden_state[:, 0].float()
        result: np.ndarray = torch.nn.functional.normalize(states, dim=-1).cpu().numpy()
        return result


def with_scores(encoded: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(k, c + d) float16: the detector's scores of its classes (j, c), 0 for regions beyond these, then the rest."""
    padded = np.zeros((len(encoded), scores.shape[1]), np.float32)
    padded[: len(scores)] = scores[: len(encoded)]
    return np.concatenate([padded, encoded], axis=1).astype(np.float16)
