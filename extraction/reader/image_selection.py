"""Select the pictures and regions of a document for a network. No Django.

The papers take one text with one picture; a post may have several. To use as much of them as each paper allows: a
network of objects alone (MEGA, EEGA) takes the most confident regions of all pictures, each in a scene of its own; one
that relates a mention and a region (RelFormer) takes each picture by itself; one that takes a whole picture (FocalMRE,
RSRNeT) takes the leading one. Of what is selected a network gets the parts that it was trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from extraction.features.batch import Needs
from extraction.features.visual_inputs import PHOTOGRAPHS, VisualInputs
from extraction.schema import Document, Extraction, Region, SceneEdge, Takes


@dataclass(frozen=True, slots=True)
class SelectedImages:
    """One selection: regions with their indexes in the document, and the picture that is taken whole, by its number and
    its file ("" where it has no pixels, or the network is shown none). `scene`: the document's, between its regions."""

    regions: tuple[Region, ...] = ()
    places: tuple[int, ...] = ()
    picture: int = 0
    image: str = ""
    scene: tuple[SceneEdge, ...] = ()


def takes(needs: Needs, head: str) -> Takes:
    """How a network with these needs and this head takes pictures."""
    if not needs.objects and not needs.pictures:
        return "words"
    if head == "region_pair":
        return "each"
    return "leading" if needs.pictures else "regions"


@dataclass(frozen=True, slots=True)
class ImageSelection:
    """Selects the pictures and regions of documents for a network with these needs, trained with these inputs.

    `grounding`: the version of what grounds the words of a sentence.
    """

    takes: Takes
    needs: Needs
    inputs: VisualInputs = PHOTOGRAPHS
    grounding: str = ""

    def select(self, document: Document) -> list[SelectedImages]:
        """One selection for each row that is made of a pair, at least one."""
        if self.takes == "words":
            return [SelectedImages()]
        document = self.inputs.fitting(document)
        allowed = self.inputs.limited(document.regions)
        if self.takes == "regions":
            order = [place for place in by_confidence(document.regions) if place in set(allowed)]
            return [_selected(document, order[: self.needs.objects])]
        blind = self.inputs.shown != "photographs"
        selections = [_picture(document, number, allowed, blind) for number in _available(document)]
        return (selections if self.takes == "each" else selections[:1]) or [SelectedImages()]

    def with_selection(self, extraction: Extraction, document: Document) -> Extraction:
        """The extraction with how its reader takes pictures, and which ones it used."""
        selections = self.select(document)
        regions = {region.image for one in selections for region in one.regions}
        whole = {one.picture for one in selections if one.image}
        return replace(extraction, takes=self.takes, used_images=tuple(sorted(regions | whole)))

    def unavailable(self, document: Document) -> tuple[str, ...]:
        """The names of the picture inputs that the network needs and the document lacks."""
        needs = self.needs
        if not document.images or not (needs.objects or needs.pictures):
            return ()
        lacking = self.inputs.lacking(document, needs, self.grounding)
        if not document.regions and not document.detected and (needs.objects or needs.pictures != "whole"):
            return ("detector", *lacking)
        photographs = needs.pictures and self.inputs.shown == "photographs"
        gone = photographs and not any(one.image for one in self.select(document))
        return ("image", *lacking) if gone else lacking


def by_confidence(regions: Sequence[Region]) -> list[int]:
    """Indexes, the most confident first over all pictures; those of one picture keep their order, faces after
    objects."""
    lowest: dict[int, float] = {}
    ranks = []
    for region in regions:
        lowest[region.image] = min(region.score, lowest.get(region.image, 1.0))
        ranks.append(-lowest[region.image])
    return sorted(range(len(regions)), key=ranks.__getitem__)


def _available(document: Document) -> list[int]:
    """The numbers of the pictures with pixels or regions, the leading one first."""
    files = {number for number, name in enumerate(document.images) if name}
    return sorted(files | {region.image for region in document.regions})


def _picture(document: Document, number: int, allowed: Sequence[int], blind: bool) -> SelectedImages:
    places = [place for place in allowed if document.regions[place].image == number]
    image = document.images[number] if number < len(document.images) and not blind else ""
    return replace(_selected(document, places), picture=number, image=image)


def _selected(document: Document, places: Sequence[int]) -> SelectedImages:
    """These regions of the document, with the relations between them."""
    index = {place: at for at, place in enumerate(places)}
    both = (edge for edge in document.scene if edge.subject in index and edge.object in index)
    scene = tuple(replace(edge, subject=index[edge.subject], object=index[edge.object]) for edge in both)
    return SelectedImages(tuple(document.regions[place] for place in places), tuple(places), scene=scene)
