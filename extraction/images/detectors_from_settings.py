"""Load the detectors that the settings choose (DETECTOR_WEIGHTS and related ones)."""

from __future__ import annotations

import logging
import time
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings

from extraction.images import detector_weights
from extraction.images.detector_weights import WeightsMissing

if TYPE_CHECKING:
    from extraction.vision.depth import Estimator
    from extraction.vision.detection import Detector
    from extraction.vision.grounding import Grounder
    from extraction.vision.image_analysis import ImageAnalyser
    from extraction.vision.region_features import RegionEncoder
    from extraction.vision.scene_graph import Interactions

logger = logging.getLogger(__name__)

RETRY_SECONDS = 600.0  # after a failure: weights may have been put there meanwhile

_kept: ImageAnalyser | None = None
_failed_at = -RETRY_SECONDS


def load() -> ImageAnalyser | None:
    """The image analyser of the settings, loaded once per process; None where no detector is set. Raises
    WeightsMissing."""
    global _kept
    if settings.DETECTOR_WEIGHTS is None:
        return None
    if _kept is None:
        _kept = _load()
    return _kept


def load_or_log() -> ImageAnalyser | None:
    """As `load`, but missing weights are logged, and loading is tried again after some time."""
    global _failed_at
    if time.monotonic() - _failed_at < RETRY_SECONDS:
        return None
    try:
        return load()
    except WeightsMissing as error:
        _failed_at = time.monotonic()
        logger.warning("Pictures are shown, but nothing is detected in them: %s", error)
        return None


def reset() -> None:
    """Load again the next time."""
    global _kept, _failed_at
    _kept, _failed_at = None, -RETRY_SECONDS


def grounder() -> Grounder | None:
    """The zero-shot detector of the settings; None where none is set. Raises WeightsMissing."""
    if settings.GROUNDING_MODEL is None:
        return None
    from extraction.vision.grounding import ZeroShot

    folder = detector_weights.path_of(settings.GROUNDING_MODEL)
    try:
        return ZeroShot.load(folder, settings.DEVICE)
    except (ImportError, OSError, ValueError) as error:
        raise WeightsMissing(f"No zero-shot detector can be read from {folder} ({str(error)[:200]}).") from error


def _load() -> ImageAnalyser:
    from extraction.vision.image_analysis import ImageAnalyser

    detector = _detector(settings.DETECTOR_WEIGHTS)
    assert detector is not None
    return ImageAnalyser(
        detector,
        faces=_detector(settings.FACE_WEIGHTS),
        depth=_depth(),
        interactions=_interactions(),
        objects=settings.PICTURE_OBJECTS,
        most_faces=settings.PICTURE_FACES,
        encoder=_encoder(),
    )


def _detector(setting: object) -> Detector | None:
    from extraction.vision import load_detector
    from extraction.vision.detection import DetectorMissing

    if setting is None:
        return None
    try:
        return load_detector.load(detector_weights.path_of(setting), settings.DEVICE)  # type: ignore[arg-type]
    except DetectorMissing as error:
        raise WeightsMissing(str(error)) from error


def _depth() -> Estimator | None:
    from extraction.vision import depth

    if settings.DEPTH_MODEL is None:
        return None
    try:
        return depth.TransformersDepth.load(detector_weights.path_of(settings.DEPTH_MODEL), settings.DEVICE)
    except depth.DepthMissing as error:
        raise WeightsMissing(str(error)) from error


def _encoder() -> RegionEncoder:
    from extraction.vision import region_features

    if settings.REGION_FEATURES is None:
        return region_features.ColoursAndEdges()
    folder = detector_weights.path_of(settings.REGION_FEATURES)
    try:
        return region_features.TransformersFeatures.load(folder, settings.DEVICE)
    except region_features.FeaturesMissing as error:
        raise WeightsMissing(str(error)) from error


def _interactions() -> Interactions | None:
    if not settings.PREDICATE_CLASSIFIER:
        return None
    module, _, name = settings.PREDICATE_CLASSIFIER.partition(":")
    try:
        classifier: Interactions = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise WeightsMissing(f"PREDICATE_CLASSIFIER cannot be loaded ({error}): it takes module:callable.") from error
    return classifier
