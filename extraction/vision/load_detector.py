"""Load a detector from a file of weights, whose suffix gives its kind.

An ONNX file holds YOLOX, FastestDet or UltraFace (`onnx_detectors`), a `.pt` file an ultralytics YOLO
(`ultralytics_yolo`; AGPL-3.0, installed by those who want it).
"""

from __future__ import annotations

from pathlib import Path

from extraction.vision.detection import Detector, DetectorMissing


def load(weights: Path | str, device: str = "cpu", threads: int = 0) -> Detector:
    """The detector with these weights. Raises DetectorMissing."""
    path = Path(weights)
    if not path.is_file():
        raise DetectorMissing(
            f"There are no weights at {path}. `manage.py fetch_weights` lists what can be fetched, and fetches it."
        )
    if path.suffix == ".onnx":
        from extraction.vision import onnx_detectors

        return onnx_detectors.load(path, device, threads)
    if path.suffix == ".pt":
        from extraction.vision import ultralytics_yolo

        return ultralytics_yolo.load(path, device)
    raise DetectorMissing(f"{path} is neither an ONNX file (.onnx) nor ultralytics weights (.pt).")
