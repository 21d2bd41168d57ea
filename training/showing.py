"""What a system is shown, in words."""

from __future__ import annotations

from extraction.checkpoint import Checkpoint


def inputs(checkpoint: Checkpoint, pictures: bool) -> list[str]:
    """The inputs that this network takes. `pictures`: their files are at hand; else canvases stand for them.

    What its network needs says it: a setting of the run alone does not, for a network may have no part that looks.
    """
    network, vision = checkpoint.network, checkpoint.manifest.vision
    needs, parts = network.needs, ["text"]
    blind = getattr(network, "vision", needs) is None  # RelFormer takes a region's place, and sees nothing of it
    if (needs.objects and not blind) or needs.pictures in ("objects", "focal", "crops"):
        parts.append("boxes")
    if needs.pictures:
        parts.append("pictures" if pictures else "boxes on a grey canvas in place of pictures")
    if needs.facts:
        parts.append("facts")
    if needs.pictures and vision:
        source = vision.get("source") or "random"
        parts.append("a vision encoder " + ("with random initial weights" if source == "random" else source))
    return parts
