"""What looks at pictures here, as the settings choose it (DETECTOR_WEIGHTS and those beside it)."""

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
    from extraction.vision.image_analysis import Sight
    from extraction.vision.scene_graph import Interactions

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 600.0  # after a failure: weights may have been put there meanwhile

_kept: Sight | None = None
_failed_at = -AGAIN_SECONDS


def load() -> Sight | None:
    """The sight of the settings, loaded once a process; None where no detector is set. Raises WeightsMissing."""
    global _kept
    if settings.DETECTOR_WEIGHTS is None:
        return None
    if _kept is None:
        _kept = _load()
    return _kept


def load_or_say() -> Sight | None:
    """As `load`; what is missing is logged, and tried again some time later."""
    global _failed_at
    if time.monotonic() - _failed_at < AGAIN_SECONDS:
        return None
    try:
        return load()
    except WeightsMissing as error:
        _failed_at = time.monotonic()
        logger.warning("Pictures are shown and not looked into: %s", error)
        return None


def forget() -> None:
    """Loads anew the next time."""
    global _kept, _failed_at
    _kept, _failed_at = None, -AGAIN_SECONDS


def grounder() -> Grounder | None:
    """The zero-shot detector of the settings; None where none is set. Raises WeightsMissing."""
    if settings.GROUNDING_MODEL is None:
        return None
    from extraction.vision.grounding import ZeroShot

    folder = detector_weights.there(settings.GROUNDING_MODEL)
    try:
        return ZeroShot.load(folder, settings.DEVICE)
    except (ImportError, OSError, ValueError) as error:
        raise WeightsMissing(f"No zero-shot detector can be read from {folder} ({str(error)[:200]}).") from error


def _load() -> Sight:
    from extraction.vision.image_analysis import Sight

    detector = _detector(settings.DETECTOR_WEIGHTS)
    assert detector is not None
    return Sight(
        detector,
        faces=_detector(settings.FACE_WEIGHTS),
        depth=_depth(),
        interactions=_interactions(),
        objects=settings.PICTURE_OBJECTS,
        most_faces=settings.PICTURE_FACES,
    )


def _detector(setting: object) -> Detector | None:
    from extraction.vision import load_detector
    from extraction.vision.detection import DetectorMissing

    if setting is None:
        return None
    try:
        return load_detector.load(detector_weights.there(setting), settings.DEVICE)  # type: ignore[arg-type]
    except DetectorMissing as error:
        raise WeightsMissing(str(error)) from error


def _depth() -> Estimator | None:
    from extraction.vision import depth

    if settings.DEPTH_MODEL is None:
        return None
    try:
        return depth.TransformersDepth.load(detector_weights.there(settings.DEPTH_MODEL), settings.DEVICE)
    except depth.DepthMissing as error:
        raise WeightsMissing(str(error)) from error


def _interactions() -> Interactions | None:
    if not settings.PREDICATE_CLASSIFIER:
        return None
    module, _, name = settings.PREDICATE_CLASSIFIER.partition(":")
    try:
        made: Interactions = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise WeightsMissing(f"PREDICATE_CLASSIFIER cannot be loaded ({error}): it takes module:callable.") from error
    return made
