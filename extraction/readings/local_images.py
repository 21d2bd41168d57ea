"""Analyse pictures named on the command line, and add them to a text. Needs no database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extraction.images import detectors_from_settings, storage
from extraction.images.detection import READING_SIDE
from extraction.images.detector_weights import WeightsMissing
from extraction.readings.inputs import Input
from extraction.schema import UNKNOWN_SOURCES, ImageSources, Region, SceneEdge


@dataclass(frozen=True)
class LocalImages:
    """Small copies of the pictures, their regions and scene graph, and the names of missing inputs."""

    images: tuple[str, ...]
    regions: tuple[Region, ...] = ()
    scene: tuple[SceneEdge, ...] = ()
    missing: tuple[str, ...] = ()
    detected: bool = False
    sources: ImageSources = UNKNOWN_SOURCES

    def added_to(self, item: Input) -> Input:
        if item.document is None:
            return item
        document = replace(
            item.document,
            images=self.images,
            regions=self.regions,
            scene=self.scene,
            detected=self.detected,
            sources=self.sources,
        )
        return replace(item, document=document, missing=self.missing)


def analyse(files: Sequence[Path], folder: Path, report: Callable[[str], object]) -> LocalImages:
    """Decode the files within the limits of fetched pictures, copy them into `folder` and detect regions.

    `report` is called with the problems. Raises OSError for a file that cannot be opened.
    """
    import numpy as np

    images, pixels, names, missing = [], [], [], []
    for place, file in enumerate(files):
        content = file.read_bytes()
        try:
            upright = storage.decoded(content)
        except storage.NotAPicture as error:
            report(f"{file}: {error}")
            missing.append("image")
            continue
        names.append(file)
        pixels.append(np.asarray(upright))
        upright.thumbnail((READING_SIDE, READING_SIDE))
        copy = folder / f"{place}.jpg"
        upright.save(copy, "JPEG", quality=90)
        images.append(str(copy))
    try:
        analyser = detectors_from_settings.load()
        if analyser is None and images:
            report("DETECTOR_WEIGHTS is empty: nothing was detected in the pictures.")
    except WeightsMissing as error:
        report(str(error))
        analyser = None
    if analyser is None:
        return LocalImages(tuple(images), missing=(*missing, *(["detector"] if images else [])))
    regions: list[Region] = []
    scene: list[SceneEdge] = []
    contents = analyser.analyse(pixels)
    for place, result in enumerate(contents):
        if result.error:
            report(f"{names[place]}: {result.error}")
        first = len(regions)
        regions += [replace(one, image=place) for one in result.regions]
        scene += [replace(one, subject=one.subject + first, object=one.object + first) for one in result.edges]
        missing += result.missing
    detected = all(not result.error for result in contents)
    return LocalImages(tuple(images), tuple(regions), tuple(scene), tuple(missing), detected, analyser.sources)
