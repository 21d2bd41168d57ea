"""Analyse pictures in batches: regions, faces, depth and scene graph, whatever fails along the way.

`ImageAnalyser.version` covers everything that the results depend on, so that they can be stored and found again. A
picture that breaks a detector affects no other; too little memory halves the batch; the result names what was missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from extraction.schema import Region, SceneEdge
from extraction.vision import depth as nearness
from extraction.vision import scene_graph
from extraction.vision.detection import OBJECTS, Detections, Detector, OutOfMemory, as_regions, halved

logger = logging.getLogger(__name__)

FACES = 5
T = TypeVar("T")


@dataclass(frozen=True)
class ImageContent:
    """The results for one picture. `vectors` (objects, d) float32 belong to the regions that are not faces; `depth` is
    the smoothed map. `missing`: components that were not available. `error`: why detection failed."""

    regions: tuple[Region, ...] = ()
    edges: tuple[SceneEdge, ...] = ()
    vectors: np.ndarray | None = None
    depth: np.ndarray | None = None
    missing: tuple[str, ...] = ()
    error: str = ""


@dataclass
class ImageAnalyser:
    """A detector with its optional companions. `interactions`: a learnt classifier in place of the rules."""

    detector: Detector
    faces: Detector | None = None
    depth: nearness.Estimator | None = None
    interactions: scene_graph.Interactions | None = None
    objects: int = OBJECTS
    most_faces: int = FACES

    @property
    def version(self) -> str:
        parts = [f"{self.detector.version}:{self.objects}"]
        parts += [f"{self.faces.version}:{self.most_faces}"] if self.faces else []
        parts += [self.depth.version] if self.depth else []
        parts += [getattr(self.interactions, "version", "learnt")] if self.interactions else []
        return "+".join(parts)[:200]

    def analyse(self, pictures: Sequence[np.ndarray]) -> list[ImageContent]:
        """The content of each upright picture (height, width, 3) uint8. Never raises: an error is part of the
        result."""
        objects = self._each("the detector", self.detector.detect, pictures)
        faces = self._each("the face detector", self.faces.detect, pictures) if self.faces else [None] * len(pictures)
        maps = self._each("the depth network", self.depth.maps, pictures) if self.depth else [None] * len(pictures)
        rows = zip(pictures, objects, faces, maps, strict=True)
        return [self._content(*row) for row in rows]

    def _content(
        self,
        picture: np.ndarray,
        objects: Detections | str,
        faces: Detections | str | None,
        depth: np.ndarray | str | None,
    ) -> ImageContent:
        if isinstance(objects, str):
            return ImageContent(missing=("detector",), error=objects)
        regions = as_regions(objects, self.detector.classes, self.objects)
        missing = [name for name, found in (("faces", faces), ("depth", depth)) if isinstance(found, str)]
        if self.faces and isinstance(faces, Detections):
            regions += as_regions(faces, self.faces.classes, self.most_faces)
        near = nearness.scaled(depth) if isinstance(depth, np.ndarray) else nearness.from_boxes(regions)
        depths = [one.median for one in nearness.of_regions(near, regions)]
        regions = tuple(replace(one, depth=round(deep, 4)) for one, deep in zip(regions, depths, strict=True))
        height, width = picture.shape[:2]
        edges = scene_graph.build(regions, width / height, depths, self.interactions)
        return ImageContent(regions, edges, objects.vectors[: self.objects], near.astype(np.float16), tuple(missing))

    def _each(
        self, what: str, run: Callable[[Sequence[np.ndarray]], list[T]], pictures: Sequence[np.ndarray]
    ) -> list[T | str]:
        """The result of `run` for each picture, or an error message: tried in a batch, then one at a time."""
        try:
            return [*halved(run, pictures)]
        except Exception as error:
            if len(pictures) != 1:
                return [one for picture in pictures for one in self._each(what, run, [picture])]
            logger.warning("A picture could not be analysed: %s failed with %r", what, error)
            if isinstance(error, OutOfMemory):
                return [f"There is too little memory for {what}: {error}"]
            return [f"{what[0].upper()}{what[1:]} failed on this picture ({type(error).__name__}: {str(error)[:200]})."]
