"""An ultralytics YOLO as a `detection.Detector`. The one module that imports ultralytics, and only when it is used.

ultralytics is under AGPL-3.0: it is not part of kgbuilder, and those who install it (`make install-yolo`) accept its
terms. Its telemetry, its check for a network and its installation of packages are turned off before it is imported. A
`.pt` file is a pickle, which can run code when it is loaded: only a file whose SHA-256 somebody has confirmed is
loaded.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from extraction.vision.boxes import from_corners
from extraction.vision.detection import (
    MAX_OVERLAP,
    MIN_SCORE,
    Detections,
    DetectorMissing,
    OutOfMemory,
    digest,
    geometry,
)

DIGEST_SUFFIX = ".sha256"  # beside the weights: the digest that they must have


def load(path: Path, device: str = "cpu") -> UltralyticsYolo:
    """Load a detector. Raises DetectorMissing where ultralytics is not installed or the weights are not confirmed."""
    found = digest(path)
    _check_digest(path, found)
    model = _model(path)
    if getattr(model, "task", "detect") != "detect":
        raise DetectorMissing(f"{path} is a YOLO for {model.task}, not for detection.")
    return UltralyticsYolo(model, f"ultralytics-{path.stem}-{found[:12]}", device)


class UltralyticsYolo:
    """A `detection.Detector`. The network reports the score of one class only; those of the others are 0."""

    def __init__(self, model: Any, version: str, device: str = "cpu") -> None:
        self.model, self.version, self.device = model, version, device
        self.classes: tuple[str, ...] = tuple(model.names[place] for place in sorted(model.names))

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        """All pictures in one batch."""
        if not pictures:
            return []
        inputs = [np.ascontiguousarray(picture[:, :, ::-1]) for picture in pictures]  # arrays are taken for BGR
        try:
            results = self.model.predict(
                inputs,
                device=self.device,
                conf=MIN_SCORE,
                iou=MAX_OVERLAP,
                verbose=False,
                save=False,
                batch=len(inputs),
            )
        except RuntimeError as error:
            if "out of memory" in str(error).lower():
                raise OutOfMemory(str(error)[:200]) from error
            raise
        return [self._read(result) for result in results]

    def _read(self, result: Any) -> Detections:
        found = result.boxes
        boxes = from_corners(np.clip(found.xyxyn.cpu().numpy().astype(np.float64), 0.0, 1.0))
        scores, classes = found.conf.cpu().numpy().astype(np.float64), found.cls.cpu().numpy().astype(np.int64)
        order = np.argsort(-scores, kind="stable")
        boxes, scores, classes = boxes[order], scores[order], classes[order]
        per_class = np.zeros((len(scores), len(self.classes)))
        per_class[np.arange(len(scores)), classes] = scores
        return Detections(
            boxes, scores, classes, np.concatenate([per_class, geometry(boxes)], axis=1).astype(np.float32)
        )


def _check_digest(path: Path, found: str) -> None:
    beside = path.with_name(path.name + DIGEST_SUFFIX)
    confirmed = beside.read_text(encoding="ascii", errors="replace").split()[:1] if beside.is_file() else []
    if confirmed != [found]:
        why = "has another SHA-256 than" if confirmed else "is not confirmed by"
        raise DetectorMissing(
            f"{path} {why} {beside.name} beside it. Weights of this kind can run code when they are loaded, so "
            f"only confirmed files are loaded. If this is its publisher's file, write `{found}` into {beside}."
        )


def _model(path: Path) -> Any:
    """Import and load, with all network access off, and Pillow unchanged."""
    opening = Image.open
    try:
        return _loaded(path)
    finally:
        # ultralytics replaces it by its own opener, which requires another package for a broken picture.
        Image.open = opening


def _loaded(path: Path) -> Any:
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
    os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="kgbuilder-yolo-"))
    try:
        import ultralytics
    except ImportError as error:
        raise DetectorMissing(
            f"{path} needs the package ultralytics, which is not installed ({error}). It is under AGPL-3.0: `make "
            "install-yolo` installs it; YOLOX's ONNX files need no such package."
        ) from error
    ultralytics.settings.update({"sync": False})
    try:
        return ultralytics.YOLO(str(path))
    except Exception as error:
        raise DetectorMissing(f"{path} cannot be loaded ({type(error).__name__}: {str(error)[:200]}).") from error
