"""Depth of pictures: a map in 0..1, 1 the nearest, smoothed as in RelFormer, and a value for each region.

Where a depth network is set (`DEPTH_MODEL`, a folder that transformers reads), the map is its. Otherwise the map is an
estimate from the regions: things that stand lower in the picture stand nearer, and a thing that looks large for what it
is stands nearer. For a region of height h and lower edge b (shares of the picture's height) whose class is typically H
metres high, nearness = 0.5 b + 0.5 s with s = (h / H) / (h / H + 0.3); without a typical height s = sqrt(area). The
background is a ramp from 0 at the upper to 0.5 at the lower edge, and regions lie on it, the farthest first. Such a
map distinguishes front from behind; its differences are not metres.

Either map is smoothed (Gaussian, then median, RelFormer's order) and scaled to 0..1, and a region's depth is the median
of its part: `nearness_of`, for detectors' regions and data sets' alike. A network that gives distances (metric Depth
Anything, ZoeDepth, Depth Pro, GLPN) is turned into one that gives nearness, 1 / distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from extraction.schema import Region
from extraction.vision.boxes import in_pixels

SIDE = 64  # of a kept map
BLUR, WINDOW = 1.0, 3  # pixels of a map of SIDE: the Gaussian's deviation, the median's side
TYPICAL = {
    **{"person": 1.7, "face": 0.24, "bicycle": 1.0, "car": 1.5, "motorcycle": 1.1, "airplane": 5.0, "bus": 3.0},
    **{"train": 3.8, "truck": 3.0, "boat": 2.5, "traffic light": 0.9, "fire hydrant": 0.7, "stop sign": 0.75},
    **{"parking meter": 1.2, "bench": 0.9, "bird": 0.25, "cat": 0.3, "dog": 0.55, "horse": 1.6, "sheep": 0.8},
    **{"cow": 1.4, "elephant": 3.0, "bear": 1.2, "zebra": 1.4, "giraffe": 4.5, "backpack": 0.5, "umbrella": 0.8},
    **{"handbag": 0.3, "tie": 0.5, "suitcase": 0.6, "sports ball": 0.22, "bottle": 0.25, "wine glass": 0.2},
    **{"cup": 0.1, "bowl": 0.1, "chair": 0.9, "couch": 0.85, "potted plant": 0.5, "bed": 0.6, "dining table": 0.75},
    **{"toilet": 0.75, "tv": 0.6, "laptop": 0.25, "cell phone": 0.14, "microwave": 0.3, "oven": 0.85, "sink": 0.3},
    **{"refrigerator": 1.7, "book": 0.22, "clock": 0.3, "vase": 0.3, "teddy bear": 0.3},
}
LARGE = 0.3  # of h / H, at which a thing counts as half as near as possible
GROUND = 0.5  # the background's nearness at the lower edge


ESTIMATE = "estimate-1"  # the version of `from_boxes`
METRIC = ("zoedepth", "depth_pro", "glpn")  # kinds of networks whose results are always distances
CLOSEST = 1e-3  # of a distance: nothing is nearer


class DepthMissing(Exception):
    """The depth network is not available; the message names the remedy."""


class Estimator(Protocol):
    """`version` identifies it; a map is (height, width) float, larger is nearer, of any scale."""

    version: str

    def maps(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]: ...


@dataclass(frozen=True, slots=True)
class Nearness:
    """Statistics of a region's part of the map: mean, median, lowest, highest and standard deviation."""

    mean: float
    median: float
    lowest: float
    highest: float
    spread: float


def from_boxes(regions: Sequence[Region], side: int = SIDE) -> np.ndarray:
    """(side, side): the estimate from the regions, smoothed and scaled."""
    result = np.repeat(np.linspace(0.0, GROUND, side)[:, None], side, axis=1)
    values = [_nearness(region) for region in regions]
    places = in_pixels([region.box for region in regions], side, side)
    for index in np.argsort(values, kind="stable"):
        left, top, right, bottom = places[index]
        result[top:bottom, left:right] = values[index]
    return smoothed(result)


def smoothed(depth: np.ndarray, blur: float = BLUR, window: int = WINDOW) -> np.ndarray:
    """Gaussian and median filter, then scaled to 0..1; a map without differences is 0. Values that are not finite count
    as far.

    Raises ValueError for an array that is not a map.
    """
    from scipy.ndimage import gaussian_filter, median_filter

    if depth.ndim != 2 or not depth.size:
        raise ValueError(f"a depth map has two dimensions, this {depth.shape}")
    known = np.isfinite(depth)
    filled = np.where(known, depth, depth[known].min() if known.any() else 0.0).astype(np.float64)
    smooth: np.ndarray = median_filter(gaussian_filter(filled, blur), window)
    low, high = float(smooth.min()), float(smooth.max())
    return np.zeros_like(smooth) if high - low < 1e-9 else (smooth - low) / (high - low)


def scaled(depth: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The map scaled to the size in which it is stored, then smoothed."""
    from PIL import Image

    image = Image.fromarray(depth.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    return smoothed(np.asarray(image))


def inverted(distances: np.ndarray) -> np.ndarray:
    """Nearness 1 / distance of a map of distances, as networks of relative depth give it. What is not a positive
    number counts as far."""
    usable = np.isfinite(distances) & (distances > 0)
    result: np.ndarray = np.where(usable, 1.0 / np.maximum(np.where(usable, distances, 1.0), CLOSEST), 0.0)
    return result


def nearness_of(depth: np.ndarray, regions: Sequence[Region]) -> list[float]:
    """The depth of each region, from a map of any size and scale: the median of the kept map within its box."""
    return [round(one.median, 4) for one in of_regions(scaled(depth), regions)]


def of_regions(depth: np.ndarray, regions: Sequence[Region]) -> list[Nearness]:
    """Statistics of the map within each region's box."""
    height, width = depth.shape
    result = []
    for left, top, right, bottom in in_pixels([region.box for region in regions], width, height):
        part = depth[top:bottom, left:right]
        numbers = part.mean(), np.median(part), part.min(), part.max(), part.std()
        result.append(Nearness(*(float(number) for number in numbers)))
    return result


def _nearness(region: Region) -> float:
    _, y, w, h = region.box
    apparent = h / TYPICAL[region.label] if region.label in TYPICAL else None
    size = (w * h) ** 0.5 if apparent is None else apparent / (apparent + LARGE)
    return 0.5 * min(y + h, 1.0) + 0.5 * min(size, 1.0)


class TransformersDepth:
    """A network of transformers' depth estimation (DPT, Depth Anything, ...), read from a folder, safetensors only."""

    def __init__(self, model: Any, processor: Any, version: str, device: str = "cpu") -> None:
        self.model, self.processor, self.version, self.device = model.to(device).eval(), processor, version, device
        kind = getattr(model.config, "depth_estimation_type", "")
        self.metric = kind == "metric" or model.config.model_type in METRIC

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> TransformersDepth:
        """Raises DepthMissing. Nothing is fetched."""
        try:
            from transformers import AutoImageProcessor, AutoModelForDepthEstimation

            model = AutoModelForDepthEstimation.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        except (ImportError, OSError, ValueError) as error:
            raise DepthMissing(f"No depth network can be read from {folder} ({str(error)[:200]}).") from error
        return cls(model, processor, f"{model.config.model_type}-{folder.name}", device)

    def maps(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One batch. Larger is nearer: distances are inverted, relative depth is inverse already."""
        import torch

        from extraction.vision.detection import OutOfMemory

        inputs = self.processor(images=list(pictures), return_tensors="pt").to(self.device)
        try:
            with torch.inference_mode():
                result = self.model(**inputs).predicted_depth
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)[:200]) from error
        maps = [one.float().cpu().numpy() for one in result]
        return [inverted(one) for one in maps] if self.metric else maps
