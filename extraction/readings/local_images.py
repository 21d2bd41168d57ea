"""Pictures given on the command line: decoded, looked at, and put beside a text. Needs no database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extraction.images import detectors_from_settings, storage
from extraction.images.detection import READING_SIDE
from extraction.images.detector_weights import WeightsMissing
from extraction.readings.inputs import Input
from extraction.schema import Region, SceneEdge


@dataclass(frozen=True)
class Pictured:
    """Small copies of the pictures, what they show, and what was missing."""

    images: tuple[str, ...]
    regions: tuple[Region, ...] = ()
    scene: tuple[SceneEdge, ...] = ()
    missing: tuple[str, ...] = ()
    looked: bool = False

    def added_to(self, item: Input) -> Input:
        if item.document is None:
            return item
        document = replace(
            item.document, images=self.images, regions=self.regions, scene=self.scene, looked=self.looked
        )
        return replace(item, document=document, missing=self.missing)


def look(files: Sequence[Path], folder: Path, say: Callable[[str], object]) -> Pictured:
    """Decodes the files within the limits of fetched pictures, copies them into `folder` and looks at them.

    What cannot be read or looked at is told to `say`. Raises OSError for a file that cannot be opened.
    """
    import numpy as np

    images, whole, names, missing = [], [], [], []
    for place, file in enumerate(files):
        content = file.read_bytes()
        try:
            upright = storage.decoded(content)
        except storage.NotAPicture as error:
            say(f"{file}: {error}")
            missing.append("image")
            continue
        names.append(file)
        whole.append(np.asarray(upright))
        upright.thumbnail((READING_SIDE, READING_SIDE))
        copy = folder / f"{place}.jpg"
        upright.save(copy, "JPEG", quality=90)
        images.append(str(copy))
    try:
        sight = detectors_from_settings.load()
        if sight is None and images:
            say("DETECTOR_WEIGHTS is empty: nothing was detected in the pictures.")
    except WeightsMissing as error:
        say(str(error))
        sight = None
    if sight is None:
        return Pictured(tuple(images), missing=(*missing, *(["detector"] if images else [])))
    regions: list[Region] = []
    scene: list[SceneEdge] = []
    looks = sight.look(whole)
    for place, seen in enumerate(looks):
        if seen.error:
            say(f"{names[place]}: {seen.error}")
        first = len(regions)
        regions += [replace(one, image=place) for one in seen.regions]
        scene += [replace(one, subject=one.subject + first, object=one.object + first) for one in seen.edges]
        missing += seen.missing
    looked = all(not seen.error for seen in looks)
    return Pictured(tuple(images), tuple(regions), tuple(scene), tuple(missing), looked)
