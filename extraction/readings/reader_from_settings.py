"""The reader that the settings choose (CHECKPOINT, PARSER, DEVICE, THRESHOLD), for commands without a database."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from extraction.images import detectors_from_settings
from extraction.images.detector_weights import WeightsMissing

if TYPE_CHECKING:
    from extraction.reader.reader import Reader
    from extraction.vision.grounding import Grounder

logger = logging.getLogger(__name__)


class ComponentMissing(Exception):
    """A checkpoint, a parser or a package is missing or broken; the message names the remedy."""


def load(folder: str | Path | None = None) -> Reader:
    """The reader of the checkpoint in `folder`, by default of the setting CHECKPOINT. Raises ComponentMissing."""
    path = Path(folder) if folder else settings.CHECKPOINT
    if not path.is_dir():
        raise ComponentMissing(
            f"There is no checkpoint at {path}. Name another with --checkpoint or the setting CHECKPOINT, "
            "or make one with `manage.py train eega`."
        )
    try:
        if settings.EXTRACTOR:
            return _named(settings.EXTRACTOR, path)
        from extraction.reader.checkpoint import CheckpointError
        from extraction.reader.load import reader
        from extraction.text.parser import Parser, ParserMissing
    except ImportError as error:
        raise ComponentMissing(f"A package is not installed ({error}): run `make install`.") from error
    try:
        return reader(path, settings.DEVICE, Parser.load(settings.PARSER or None), _grounder())
    except (CheckpointError, ParserMissing) as error:
        raise ComponentMissing(str(error)) from error


def _grounder() -> Grounder | None:
    """The zero-shot detector; where its weights are missing, a warning is logged and words are matched with classes."""
    try:
        return detectors_from_settings.grounder()
    except WeightsMissing as error:
        logger.warning("Words are matched with the detector's classes, without the zero-shot detector: %s", error)
        return None


def _named(name: str, path: Path) -> Reader:
    """A reader of the class with this name, written as module:class."""
    module, _, attribute = name.partition(":")
    loaded: Reader = getattr(import_module(module), attribute).load(path, device=settings.DEVICE)
    return loaded


def thresholds(reader: Reader) -> dict[str, float]:
    """THRESHOLD where it has a default; where it only names relations, the checkpoint's thresholds with these
    changed."""
    configured: dict[str, float] = settings.THRESHOLD
    return dict(configured) if "default" in configured else {**reader.thresholds, **configured}
