"""What a network is given of pictures and facts, and where each part comes from. A checkpoint keeps it.

In training it follows from the examples (`of_examples`). Live a network is given exactly these parts: one that was
trained on boxes alone gets no class, no depth and no features, and one that was trained on canvases no photograph
(`InputRows`). What a document does not have in that form is named (`lacking`).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from extraction.features.batch import OBJECT_WIDTH, Needs
from extraction.schema import Document, Example, Region

PUBLISHED = "the data set's boxes"
MIXED = "several"
BOXES = "boxes"  # a scene of the boxes' relations of place alone
Shown = Literal["", "canvas", "photographs"]


@dataclass(frozen=True)
class VisualInputs:
    """The parts and their sources, "" for a part that is not given.

    `regions`: `PUBLISHED`, or the version of the detector (with that of the face detector); `most` of one picture in
    training, 0 = not known. `scores`: whether a region's confidence is given. `features`: the version of what computes
    them, `width` numbers of a region. `depth`: the estimator. `scene`: the version of the rules or of the classifier of
    predicates, or `BOXES`. `grounding`: the version of what grounds words. `shown`: photographs, or canvases with the
    outlines of the regions. `facts`: "joined" (features/fact_graph.py). `before`: trained before decision 32, on
    complete scene graphs.
    """

    regions: str = PUBLISHED
    most: int = 0
    scores: bool = False
    features: str = ""
    width: int = 0
    depth: str = ""
    scene: str = BOXES
    grounding: str = ""
    shown: Shown = "canvas"
    facts: Literal["stars", "joined"] = "joined"
    before: bool = False

    @property
    def object_width(self) -> int:
        """Numbers of an object's vector: its geometry, then what else is given."""
        return OBJECT_WIDTH + self.scores + bool(self.depth) + self.width

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def limited(self, regions: Sequence[Region]) -> list[int]:
        """The places of the regions that are given: of each picture at most as many as in training, its first."""
        taken: Counter[int] = Counter()
        places = []
        for place, region in enumerate(regions):
            taken[region.image] += 1
            if not self.most or taken[region.image] <= self.most:
                places.append(place)
        return places

    def fitting(self, document: Document) -> Document:
        """The document without the parts that another component made than in training."""
        sources = document.sources
        described, measured = self.features == sources.features, self.depth == sources.depth
        regions = tuple(
            dataclasses.replace(
                region,
                features=region.features if described else None,
                depth=region.depth if measured else 0.0,
            )
            for region in document.regions
        )
        scene = document.scene if self.scene == sources.scene else ()
        return dataclasses.replace(document, regions=regions, scene=scene)

    def lacking(self, document: Document, needs: Needs, grounding: str = "") -> tuple[str, ...]:
        """The names of the parts that a document with pictures has not, or not made as in training.

        `grounding`: the version of what grounds its words.
        """
        sources, named = document.sources, list[str]()
        boxes = needs.objects or (needs.pictures and needs.pictures != "whole")
        if document.regions and boxes and self.regions != _detector(sources):
            named.append("other_detector")
        if document.regions and needs.objects:
            named += [part for part in ("features", "depth") if getattr(self, part) not in ("", getattr(sources, part))]
            named += ["scene"] if self.before or self.scene not in (BOXES, sources.scene) else []
        if self.grounding not in ("", grounding) and needs.pictures in ("focal", "crops"):
            named.append("grounding")
        if needs.pictures and self.shown == "canvas" and any(document.images):
            named.append("canvas")
        return tuple(named)


BOXES_ALONE = VisualInputs()
PHOTOGRAPHS = VisualInputs(shown="photographs")


def of_examples(examples: Sequence[Example], images: bool) -> VisualInputs:
    """What a run on these examples gives its network. `images`: the files of their pictures are at hand."""
    pictured = [one for one in examples if one.regions]
    sources = {one.sources for one in pictured}
    features = [region.features for one in pictured for region in one.regions if region.features is not None]
    measured = any(region.depth for one in pictured for region in one.regions)
    scored = any(region.score != 1.0 for one in pictured for region in one.regions)
    drawn = any(one.scene is not None for one in pictured)
    grounded = any(one.grounded or any(region.grounded for region in one.regions) for one in pictured)
    return VisualInputs(
        regions=_one({_detector(one) for one in sources}) or PUBLISHED,
        most=max((len(one.regions) for one in pictured), default=0),
        scores=scored,
        features=_one({one.features for one in sources} - {""}) if features else "",
        width=len(features[0]) if features else 0,
        depth=(_one({one.depth for one in sources} - {""}) or PUBLISHED) if measured else "",
        scene=(_one({one.scene for one in sources} - {""}) or PUBLISHED) if drawn else BOXES,
        grounding=(_one({one.grounding for one in sources} - {""}) or PUBLISHED) if grounded else "",
        shown="photographs" if images else "canvas",
    )


def of_before(data: Sequence[str], images: bool) -> VisualInputs:
    """What a checkpoint was trained with that does not say it: one of before decision 32."""
    depth = PUBLISHED if "more" in data else ""
    return VisualInputs(depth=depth, shown="photographs" if images else "canvas", facts="stars", before=True)


def _detector(sources: Any) -> str:
    """The detectors of regions, by their versions."""
    return "+".join(filter(None, (sources.detector, sources.faces))) or PUBLISHED


def _one(versions: set[str]) -> str:
    """The version; `MIXED` where there are several, "" where there is none."""
    return next(iter(versions)) if len(versions) == 1 else MIXED if versions else ""
