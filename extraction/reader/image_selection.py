"""Select the pictures and regions of a document for a network. No Django.

The papers take one text with one picture; a post may have several. To use as much of them as each paper allows: a
network of objects alone (MEGA, EEGA) takes the most confident regions of all pictures, each in a scene of its own; one
that relates a mention and a region (RelFormer) takes each picture by itself; one that takes a whole picture (FocalMRE,
RSRNeT) takes the leading one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from extraction.features.batch import Needs
from extraction.schema import Document, Extraction, Region, Takes


@dataclass(frozen=True, slots=True)
class SelectedImages:
    """One selection: regions with their indexes in the document, and the picture that is taken whole, by its number and
    its file ("" where it has no pixels)."""

    regions: tuple[Region, ...] = ()
    places: tuple[int, ...] = ()
    picture: int = 0
    image: str = ""


def takes(needs: Needs, head: str) -> Takes:
    """How a network with these needs and this head takes pictures."""
    if not needs.objects and not needs.pictures:
        return "words"
    if head == "region_pair":
        return "each"
    return "leading" if needs.pictures else "regions"


@dataclass(frozen=True, slots=True)
class ImageSelection:
    """Selects the pictures and regions of documents for a network with these needs."""

    takes: Takes
    needs: Needs

    def select(self, document: Document) -> list[SelectedImages]:
        """One selection for each row that is made of a pair, at least one."""
        if self.takes == "words":
            return [SelectedImages()]
        if self.takes == "regions":
            order = by_confidence(document.regions)[: self.needs.objects]
            return [SelectedImages(tuple(document.regions[place] for place in order), tuple(order))]
        selections = [_picture(document, number) for number in _available(document)]
        return (selections if self.takes == "each" else selections[:1]) or [SelectedImages()]

    def with_selection(self, found: Extraction, document: Document) -> Extraction:
        """The extraction with how its reader takes pictures, and which ones it used."""
        selections = self.select(document)
        regions = {region.image for one in selections for region in one.regions}
        whole = {one.picture for one in selections if one.image}
        return replace(found, takes=self.takes, used_images=tuple(sorted(regions | whole)))

    def unavailable(self, document: Document) -> tuple[str, ...]:
        """The names of the picture inputs that the network needs and the document lacks."""
        needs = self.needs
        if not document.images or not (needs.objects or needs.pictures):
            return ()
        if not document.regions and not document.detected and (needs.objects or needs.pictures != "whole"):
            return ("detector",)
        return ("image",) if needs.pictures and not any(one.image for one in self.select(document)) else ()


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


def _picture(document: Document, number: int) -> SelectedImages:
    places = tuple(place for place, region in enumerate(document.regions) if region.image == number)
    image = document.images[number] if number < len(document.images) else ""
    return SelectedImages(tuple(document.regions[place] for place in places), places, number, image)
