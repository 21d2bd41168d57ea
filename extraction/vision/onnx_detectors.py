"""YOLOX, FastestDet and UltraFace through onnxruntime: for those who cannot use AGPL software, and for faces.

Which of them a file holds is recognized by its outputs. No ONNX file runs code of its own: onnxruntime is given no
library of custom operators. Files with a fixed batch of one, as most are published, are run picture by picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from extraction.vision.boxes import from_centred, from_corners
from extraction.vision.detection import (
    COCO,
    FACE,
    MIN_SCORE,
    Detections,
    DetectorMissing,
    OutOfMemory,
    chosen,
    digest,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

QUIET = 3  # onnxruntime's own log: errors only; old files make it warn once for each weight
PADDING = 114  # grey beside a picture that is not square, as YOLOX was trained
STRIDES = (8, 16, 32)
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet's, of 0..255
FASTEST_MIN_SCORE = 0.5  # scores of FastestDet run high
FACE_MIN_SCORE, FACE_MAX_OVERLAP = 0.7, 0.3


def load(path: Path, device: str = "cpu", threads: int = 0) -> OnnxDetector:
    """Load a detector. Raises DetectorMissing where the file holds no known one, or onnxruntime is not installed."""
    session = _session(path, device, threads)
    shapes = [tuple(output.shape) for output in session.get_outputs()]
    model = _model(session, shapes)
    if model is None:
        raise DetectorMissing(
            f"{path} is not a known detector: its outputs have the shapes {shapes}. YOLOX, FastestDet and "
            "UltraFace are."
        )
    return OnnxDetector(session, model, f"{model.name}-{digest(path)[:12]}")


class OnnxDetector:
    """A `detection.Detector`."""

    def __init__(self, session: InferenceSession, model: Model, version: str) -> None:
        self.session, self.model, self.version = session, model, version
        self.classes = model.classes
        entry = session.get_inputs()[0]
        self._name = entry.name
        self._batch = entry.shape[0] if isinstance(entry.shape[0], int) else 0

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        """One picture after the other where the file's batch is fixed."""
        if not pictures:
            return []
        step = self._batch or len(pictures)
        return [one for at in range(0, len(pictures), step) for one in self._detect(pictures[at : at + step], step)]

    def prepare(self, pictures: Sequence[np.ndarray], batch: int = 1) -> np.ndarray:
        """The network's input: (batch, 3, height, width) float32."""
        rows = [self.model.prepare(picture) for picture in pictures]
        if len(rows) == batch == 1:
            return rows[0][None]
        return np.stack(rows + rows[-1:] * (batch - len(rows)))

    def forward(self, inputs: np.ndarray) -> list[np.ndarray]:
        """The bare network. Raises OutOfMemory."""
        try:
            outputs: list[np.ndarray] = self.session.run(None, {self._name: inputs})
        except Exception as error:  # onnxruntime's errors have no common class and no code
            if any(word in str(error).lower() for word in ("out of memory", "failed to allocate", "bad_alloc")):
                raise OutOfMemory(str(error)[:200]) from error
            raise
        return outputs

    def _detect(self, pictures: Sequence[np.ndarray], batch: int) -> list[Detections]:
        outputs = self.forward(self.prepare(pictures, batch))
        return [
            self.model.read([output[row] for output in outputs], picture.shape[1], picture.shape[0])
            for row, picture in enumerate(pictures)
        ]


@dataclass(frozen=True)
class Model:
    """A kind of detector: how its input is made of a picture, and how its outputs for one picture are read."""

    name: str
    classes: tuple[str, ...]
    prepare: Callable[[np.ndarray], np.ndarray]
    read: Callable[[list[np.ndarray], int, int], Detections]


def _session(path: Path, device: str, threads: int) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise DetectorMissing(f"onnxruntime is not installed ({error}): run `make install`.") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = threads
    # Threads that wait for work must not take the processor from the other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    available = onnxruntime.get_available_providers()
    preferred = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    providers = [name for name in (*preferred, "CPUExecutionProvider") if name in available]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise DetectorMissing(f"{path} cannot be loaded ({str(error)[:200]}).") from error


def _model(session: InferenceSession, shapes: list[tuple[Any, ...]]) -> Model | None:
    height, width = session.get_inputs()[0].shape[2:]
    if not (isinstance(height, int) and isinstance(width, int)):
        return None
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] == _cells(height, width):
        return _yolox(session, height, width, shapes[0][2] - 5)
    if len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][1] == 5 + len(COCO):
        return _fastest(height, width)
    if len(shapes) == 2 and [shape[-1] for shape in shapes] == [2, 4]:
        return _faces(height, width)
    return None


def _cells(height: int, width: int) -> int:
    return sum((height // stride) * (width // stride) for stride in STRIDES)


def _stretched(picture: np.ndarray, width: int, height: int) -> Image.Image:
    found: Image.Image = Image.fromarray(np.ascontiguousarray(picture))
    return found.resize((width, height), Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class Scale:
    """Normalisation of pixels: (value - mean) / deviation for the network's channels in their order, which is RGB, or
    BGR where `turned` is set."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    turned: bool = False

    def planes(self, picture: Image.Image, width: int, height: int) -> np.ndarray:
        """(3, height, width) float32; grey (PADDING) to the right of the picture and below it.

        Plane by plane: over all channels at once the same costs several times as much.
        """
        found = np.empty((3, height, width), np.float32)
        order = (2, 1, 0) if self.turned else (0, 1, 2)
        bands = picture.split()
        for plane, channel, mean, deviation in zip(found, order, self.mean, self.deviation, strict=True):
            inner = plane[: picture.height, : picture.width]
            np.multiply(np.asarray(bands[channel]), np.float32(1 / deviation), out=inner)
            inner -= np.float32(mean / deviation)
            rest = np.float32((PADDING - mean) / deviation)
            plane[picture.height :], plane[:, picture.width :] = rest, rest
        return found


def _yolox(session: InferenceSession, height: int, width: int, classes: int) -> Model | None:
    """YOLOX (Ge et al., 2021). There are two exports: the present one, which takes BGR in 0..255 and gives rows of
    probabilities, and an older one, which takes normalised RGB and gives, level by level, planes of logits."""
    if classes != len(COCO):
        return None
    probe = np.full((1, 3, height, width), float(PADDING), np.float32)
    output = session.run(None, {session.get_inputs()[0].name: probe})[0]
    older = bool(output[..., 4:].min() < 0 or output[..., 4:].max() > 1)
    scaled = Scale(MEAN, DEVIATION) if older else Scale(turned=True)
    cells, strides = _grid(height, width)

    def prepare(picture: np.ndarray) -> np.ndarray:
        return scaled.planes(_fitted(picture, width, height), width, height)

    def read(outputs: list[np.ndarray], wide: int, high: int) -> Detections:
        planes = _levels(outputs[0], height, width) if older else [outputs[0].T]
        # Nearly all cells are skipped: those that no class can lift over the minimum score.
        objectness = np.concatenate([_sigmoid(level[4]) if older else level[4] for level in planes])
        likely = np.flatnonzero(objectness >= MIN_SCORE)
        rows = _columns(planes, likely)
        if older:
            rows[:, 4:] = _sigmoid(rows[:, 4:])
        scale = min(width / wide, height / high)
        found = _decoded(rows[:, :4], cells[likely], strides[likely])
        boxes = from_centred(found / scale) / [wide, high, wide, high]
        per_class = rows[:, 4:5] * rows[:, 5:]
        return chosen(boxes, per_class.max(axis=1), per_class)

    return Model("yolox-older" if older else "yolox", COCO, prepare, read)


def _fitted(picture: np.ndarray, width: int, height: int) -> Image.Image:
    """The picture in its proportions, as large as fits."""
    high, wide = picture.shape[:2]
    scale = min(width / wide, height / high)
    return _stretched(picture, max(1, round(wide * scale)), max(1, round(high * scale)))


def _levels(output: np.ndarray, height: int, width: int) -> list[np.ndarray]:
    """The levels, each (5 + classes, cells): as the older export lays them out, one after the other."""
    flat, levels, at = output.reshape(-1), [], 0
    depth = output.shape[-1]
    for stride in STRIDES:
        size = (height // stride) * (width // stride) * depth
        levels.append(flat[at : at + size].reshape(depth, -1))
        at += size
    return levels


def _columns(levels: Sequence[np.ndarray], chosen: np.ndarray) -> np.ndarray:
    """(chosen, 5 + classes): these cells, by their numbers over all levels."""
    found, first = [], 0
    for level in levels:
        count = level.shape[1]
        found.append(level[:, chosen[(chosen >= first) & (chosen < first + count)] - first].T)
        first += count
    return np.concatenate(found)


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every cell of all levels its place in its level (cells, 2) and its level's stride (cells, 1)."""
    grids, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride]
        grids.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((grids[-1].shape[0], 1), stride))
    return np.concatenate(grids), np.concatenate(strides)


def _decoded(rows: np.ndarray, cells: np.ndarray, strides: np.ndarray) -> np.ndarray:
    """(cells, 4) centres and sizes in the network's pixels, from offsets to the cells and logarithms of sizes."""
    sizes = np.exp(np.minimum(rows[:, 2:], 20.0))
    return np.concatenate([(rows[:, :2] + cells) * strides, sizes * strides], axis=1)


def _fastest(height: int, width: int) -> Model:
    """FastestDet (dog-qiuqiu, 2022): one level; its picture is stretched, BGR in 0..1."""

    scaled = Scale(deviation=(255.0, 255.0, 255.0), turned=True)

    def prepare(picture: np.ndarray) -> np.ndarray:
        return scaled.planes(_stretched(picture, width, height), width, height)

    def read(outputs: list[np.ndarray], wide: int, high: int) -> Detections:
        depth, rows, columns = outputs[0].shape
        cells = outputs[0].reshape(depth, -1).T
        y, x = np.mgrid[:rows, :columns]
        centres = (np.tanh(cells[:, 1:3]) + np.stack([x.ravel(), y.ravel()], axis=1)) / [columns, rows]
        boxes = from_centred(np.concatenate([centres, _sigmoid(cells[:, 3:5])], axis=1))
        per_class = cells[:, :1] * cells[:, 5:]
        return chosen(boxes, per_class.max(axis=1), per_class, FASTEST_MIN_SCORE)

    return Model("fastestdet", COCO, prepare, read)


def _faces(height: int, width: int) -> Model:
    """UltraFace (Linzaer, 2019): faces; its picture is stretched, RGB, centred at 127."""

    scaled = Scale((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))

    def prepare(picture: np.ndarray) -> np.ndarray:
        return scaled.planes(_stretched(picture, width, height), width, height)

    def read(outputs: list[np.ndarray], wide: int, high: int) -> Detections:
        scores = outputs[0][:, 1]
        return chosen(from_corners(outputs[1]), scores, scores[:, None], FACE_MIN_SCORE, FACE_MAX_OVERLAP)

    return Model("ultraface", (FACE,), prepare, read)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
    return found
