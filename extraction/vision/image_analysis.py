"""Analyse pictures in batches: regions, faces, depth, features and scene graph, whatever fails along the way.

The pictures of posts and of training sets go through the same analyser. `ImageAnalyser.version` covers everything that
the results depend on, so that they can be stored and found again. A
picture that breaks a detector affects no other; too little memory halves the batch; the result names what was missing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from extraction.schema import ImageSources, Region, SceneEdge
from extraction.vision import depth as nearness
from extraction.vision import scene_graph
from extraction.vision.detection import GEOMETRY, OBJECTS, Detections, Detector, OutOfMemory, as_regions, halved
from extraction.vision.region_features import ColoursAndEdges, RegionEncoder, with_scores

logger = logging.getLogger(__name__)

FACES = 5
LONGEST_VERSION = 200
T = TypeVar("T")


@dataclass(frozen=True)
class ImageContent:
    """The results for one picture: regions with their depth and features, objects before faces. `depth` is the smoothed
    map. `missing`: components that were not available. `error`: why detection failed."""

    regions: tuple[Region, ...] = ()
    edges: tuple[SceneEdge, ...] = ()
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
    encoder: RegionEncoder = field(default_factory=ColoursAndEdges)

    @property
    def sources(self) -> ImageSources:
        """What takes part, by version. Features hold the detector's scores, and so belong to that detector."""
        return ImageSources(
            detector=f"{self.detector.version}:{self.objects}",
            faces=f"{self.faces.version}:{self.most_faces}" if self.faces else "",
            depth=self.depth.version if self.depth else nearness.ESTIMATE,
            scene=getattr(self.interactions, "version", "learnt") if self.interactions else scene_graph.RULES,
            features=f"{self.encoder.version}@{self.detector.version}",
        )

    @property
    def version(self) -> str:
        """That of all sources; where their names are longer than is stored, the detector's with a digest of all."""
        whole = self.sources.version
        if len(whole) <= LONGEST_VERSION:
            return whole
        return f"{self.sources.detector[:100]}+all={hashlib.sha256(whole.encode()).hexdigest()[:16]}"

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
        missing = [name for name, result in (("faces", faces), ("depth", depth)) if isinstance(result, str)]
        if self.faces and isinstance(faces, Detections):
            regions += as_regions(faces, self.faces.classes, self.most_faces)
        near = nearness.scaled(depth) if isinstance(depth, np.ndarray) else nearness.from_boxes(regions)
        depths = [one.median for one in nearness.of_regions(near, regions)]
        regions = tuple(replace(one, depth=round(deep, 4)) for one, deep in zip(regions, depths, strict=True))
        height, width = picture.shape[:2]
        edges = scene_graph.build(regions, width / height, depths, self.interactions)
        scores = objects.vectors[: self.objects, :-GEOMETRY]
        encoded = self._each("the encoder of regions", lambda _: [self.encoder.encode(picture, regions)], [picture])[0]
        if isinstance(encoded, str):
            missing.append("features")
        else:
            features = with_scores(encoded, scores)
            regions = tuple(replace(one, features=own) for one, own in zip(regions, features, strict=True))
        return ImageContent(regions, edges, near.astype(np.float16), tuple(missing))

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
