"""The progress of a post: fetched, queued, analysed or failed, as a label and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from extraction.models import Deployment, Post, PostVersion, Reading

MISSING = {
    "image": "the picture was not used",
    "facts": "no facts were looked up",
    "detector": "no object detector is set up, so the pictures were not used",
    "other_detector": "the network was trained on regions of another detector, or on boxes that people drew",
    "features": "the features of regions were not computed as in training, so the network was given none",
    "depth": "depth was not measured as in training, so the network was given none",
    "scene": "the network was trained on another kind of scene graph",
    "grounding": "words were matched with regions in another way than in training",
    "canvas": "the network was trained on outlines of regions in place of pictures, so it was shown these",
    "windowed": "a sentence was too long for the reader and was split into overlapping parts",
    "knowledge": "no knowledge base was available",
    "language": "the text may be in another language than English, so that the results may be wrong",
    "parser": "no parser was available",
    "page": "the article page could not be fetched, so the text of the feed item was used",
}


@dataclass(frozen=True)
class PostProgress:
    """`code` sets the colour of the label; `detail` is a sentence, empty where the label is enough."""

    code: str
    label: str
    detail: str = ""
    reading: Reading | None = None


def deployed() -> int | None:
    """The id of the checkpoint in production."""
    return Deployment.objects.filter(active=True).values_list("checkpoint_id", flat=True).first()


def progress_of(post: Post, production: int | None) -> PostProgress:
    """The progress of a post, by the readings of the checkpoint in production: what another checkpoint did with it does
    not count. The readings of its current version and their checkpoints must have been prefetched."""
    if post.state == Post.State.WITHDRAWN:
        return PostProgress("withdrawn", "Withdrawn", post.state_reason or "The article page no longer exists.")
    if post.state == Post.State.ERASED:
        return PostProgress("withdrawn", "Erased", post.state_reason)
    version = post.current_version
    if version is None:
        return PostProgress("waiting", "Waiting for fetch", post.error)
    newest = _decisive(post, version, production)
    if newest is None:
        return PostProgress("waiting", "Queued", "")
    match newest.stage:
        case Reading.Stage.DONE:
            return PostProgress("read", "Analysed", "", newest)
        case Reading.Stage.DECLINED:
            return PostProgress("declined", "Declined", newest.declined_message, newest)
        case Reading.Stage.FAILED:
            return PostProgress("failed", "Failed", newest.error, newest)
    edited = "The statements of an older version are shown until then." if post.current_reading_id else ""
    return PostProgress("waiting", "Queued", newest.error or edited, newest)


def _decisive(post: Post, version: PostVersion, production: int | None) -> Reading | None:
    """The newest reading by the checkpoint in production; where it has none that is queued or ended, the current one,
    if that is of this version."""
    readings = sorted(version.readings.all(), key=lambda reading: reading.pk)
    own = [one for one in readings if production in (None, one.checkpoint_id) and one.stage != Reading.Stage.DROPPED]
    current = [one for one in readings if one.pk == post.current_reading_id]
    decisive = own or current
    return decisive[-1] if decisive else None


def missing_sentences(missing: list[str]) -> list[str]:
    return [MISSING.get(part, f"{part.replace('_', ' ')} was missing") for part in missing]
