"""The inputs of a system in words, the folders of its pictures, and how many pictures are missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from extraction.datasets.folders import folder_of
from extraction.datasets.prepared_images import LATEST, PreparedImages, chosen
from extraction.datasets.registry import DatasetError
from extraction.features.visual_inputs import BOXES, PUBLISHED
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.schema import Example

ABSENT = "the network is shown nothing in their place"


def inputs(checkpoint: LoadedCheckpoint) -> list[str]:
    """The inputs that this network takes, with their sources, as its checkpoint keeps them.

    The network's needs decide this. A setting of the run is not enough, for a network may have no vision encoder.
    """
    network, vision, given = checkpoint.network, checkpoint.manifest.vision, checkpoint.manifest.given
    needs, parts = network.needs, ["text"]
    blind = getattr(network, "vision", needs) is None  # RelFormer takes a region's place, and none of its pixels
    if (needs.objects and not blind) or needs.pictures in ("objects", "focal", "crops"):
        parts.append("boxes" if given.regions == PUBLISHED else f"regions ({given.regions})")
        parts += ["classes of regions"] if checkpoint.manifest.classes and needs.objects else []
        parts += ["features of regions"] if given.features and needs.objects else []
        parts += ["depth of regions"] if given.depth and needs.objects else []
        parts += ["scene graph"] if given.scene != BOXES and needs.objects and not needs.pictures else []
        parts += ["grounded regions"] if given.grounding and needs.pictures in ("focal", "crops") else []
    if needs.pictures:
        shown = given.shown == "photographs"
        parts.append("pictures" if shown else "boxes on a grey canvas in place of pictures")
    if needs.facts:
        parts.append("facts")
    if needs.pictures and vision:
        source = vision.get("source") or "random"
        parts.append("a vision encoder " + ("with random initial weights" if source == "random" else source))
    return parts


def folders_in(images: str) -> list[Path]:
    """The folders of `TrainConfig.images`; none for ""."""
    return [Path(folder) for folder in images.split(os.pathsep) if folder]


def folders_named(images: str) -> list[Path]:
    """The folders of pictures in a list joined as in PATH. Raises DatasetError for one that does not exist.

    A picture is searched for in each of them, in their order.
    """
    folders = folders_in(images)
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"There is no folder of pictures {folder}: name the folder that holds them, or none.")
    return folders


def with_prepared(examples: Sequence[Example], prepared: str, root: Path) -> list[Example]:
    """The examples with what `manage.py prepare_images` found in their pictures; unchanged where nothing is asked for.

    Raises DatasetError where it was not run for a set that has pictures.
    """
    if not prepared:
        return list(examples)
    known: dict[str, PreparedImages] = {}
    shown = []
    for example in examples:
        folder = folder_of(example.dataset)
        if example.image and folder not in known:
            known[folder] = chosen(root, folder, prepared)
        shown.append(known[folder].shown(example) if example.image else example)
    return shown


def digest_of(prepared: str, data: Sequence[str], root: Path) -> str:
    """The digest that "latest" means for these data sets, so that a run's checkpoint keeps it. Raises DatasetError."""
    if prepared != LATEST:
        return prepared
    digests = {chosen(root, folder_of(name), LATEST).folder.name for name in data}
    if len(digests) > 1:
        raise DatasetError(f"The pictures of {', '.join(data)} were not prepared alike: run prepare_images for all.")
    return digests.pop()


def beside(root: Path, format: str) -> str:
    """The pictures that lie with a data set, "" where none do."""
    folder = root / folder_of(format) / "images"
    return str(folder) if folder.is_dir() else ""


def pictures_for(trained_with: str, data: Sequence[str], root: Path, format: str) -> str:
    """The folder of pictures to evaluate a checkpoint on a data set with; "" if it was trained without, or none exist.

    The data set's own come first: those of the training are others, and may have been deleted with the run's folder.
    """
    if not trained_with:
        return ""
    trained = [str(folder) for folder in folders_in(trained_with) if format in data and folder.is_dir()]
    return beside(root, format) or os.pathsep.join(trained)


def missing(examples: Iterable[Example], images: str) -> str:
    """A sentence with how many of the examples' pictures are in none of the folders, "" where none is missing."""
    from PIL import Image, UnidentifiedImageError

    names = sorted({one.image for one in examples if one.image})
    gone = 0
    for name in names:
        for folder in folders_in(images):
            try:
                Image.open(folder / Path(name).name).close()  # reads what it is, not yet its pixels
                break
            except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
                continue
        else:
            gone += 1
    return f"{gone} of {len(names)} pictures were not found in {images}; {ABSENT}." if gone else ""
