"""What of a document's pictures a network is given. No Django.

The papers read one text beside one picture; a post may have several. So that as much of them counts as each paper
allows: a network of objects alone (MEGA, EEGA) is given the surest of all pictures together, each in a scene of its
own; one that joins a mention and a region (RelFormer) is asked about each picture by itself; one that looks at a whole
picture (FocalMRE, RSRNeT) is given the leading one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from extraction.features.batch import Needs
from extraction.schema import Document, Extraction, Region, Takes


@dataclass(frozen=True, slots=True)
class Given:
    """One look: the regions with each one's index in the document, and the picture that is seen whole beside them, by
    its number and its file ("" where no pixels are at hand)."""

    regions: tuple[Region, ...] = ()
    places: tuple[int, ...] = ()
    picture: int = 0
    image: str = ""


def takes(needs: Needs, head: str) -> Takes:
    """How a network with these needs and this head is given pictures."""
    if not needs.objects and not needs.pictures:
        return "words"
    if head == "region_pair":
        return "each"
    return "leading" if needs.pictures else "regions"


@dataclass(frozen=True, slots=True)
class ImageSelection:
    """Which pictures and regions of documents a network with these needs is given."""

    takes: Takes
    needs: Needs

    def given(self, document: Document) -> list[Given]:
        """One look for each row that is made of a pair, never none."""
        if self.takes == "words":
            return [Given()]
        if self.takes == "regions":
            order = surest(document.regions)[: self.needs.objects]
            return [Given(tuple(document.regions[place] for place in order), tuple(order))]
        looks = [_picture(document, number) for number in _left(document)]
        return (looks if self.takes == "each" else looks[:1]) or [Given()]

    def noted(self, found: Extraction, document: Document) -> Extraction:
        """The extraction with how its reader takes pictures, and of which ones it was given anything."""
        looks = self.given(document)
        regions = {region.image for look in looks for region in look.regions}
        whole = {look.picture for look in looks if look.image}
        return replace(found, takes=self.takes, used_images=tuple(sorted(regions | whole)))

    def unavailable(self, document: Document) -> tuple[str, ...]:
        """The inputs from the document's pictures that the network needs and cannot be given."""
        needs = self.needs
        if not document.images or not (needs.objects or needs.pictures):
            return ()
        if not document.regions and not document.detected and (needs.objects or needs.pictures != "whole"):
            return ("detector",)
        return ("image",) if needs.pictures and not any(look.image for look in self.given(document)) else ()


def surest(regions: Sequence[Region]) -> list[int]:
    """Indexes, the surest first over all pictures; those of one picture stay in their order, faces after objects."""
    least: dict[int, float] = {}
    ranks = []
    for region in regions:
        least[region.image] = min(region.score, least.get(region.image, 1.0))
        ranks.append(-least[region.image])
    return sorted(range(len(regions)), key=ranks.__getitem__)


def _left(document: Document) -> list[int]:
    """The numbers of the pictures of which pixels or regions are left, the leading one first."""
    files = {number for number, name in enumerate(document.images) if name}
    return sorted(files | {region.image for region in document.regions})


def _picture(document: Document, number: int) -> Given:
    places = tuple(place for place, region in enumerate(document.regions) if region.image == number)
    image = document.images[number] if number < len(document.images) else ""
    return Given(tuple(document.regions[place] for place in places), places, number, image)
