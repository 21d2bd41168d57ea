"""The progress of a post: fetched, queued, analysed or failed, as a label and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from extraction.models import Post, Reading

MISSING = {
    "image": "the picture was not used",
    "facts": "no facts were looked up",
    "detector": "no object detector is set up, so the pictures were not used",
    "windowed": "a sentence was too long for the reader and was split into overlapping parts",
    "knowledge": "no knowledge base was available",
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


def progress_of(post: Post) -> PostProgress:
    """The progress of a post; the readings of its current version and their checkpoints must have been prefetched."""
    if post.state == Post.State.WITHDRAWN:
        return PostProgress("withdrawn", "Withdrawn", post.state_reason or "The article page no longer exists.")
    if post.state == Post.State.ERASED:
        return PostProgress("withdrawn", "Erased", post.state_reason)
    version = post.current_version
    if version is None:
        return PostProgress("waiting", "Waiting for fetch", post.error)
    readings = sorted(version.readings.all(), key=lambda reading: reading.pk)
    if not readings:
        return PostProgress("waiting", "Queued", "")
    newest = readings[-1]
    match newest.stage:
        case Reading.Stage.DONE:
            return PostProgress("read", "Analysed", "", newest)
        case Reading.Stage.DECLINED:
            return PostProgress("declined", "Declined", newest.declined_message, newest)
        case Reading.Stage.FAILED:
            return PostProgress("failed", "Failed", newest.error, newest)
        case Reading.Stage.DROPPED:
            return PostProgress("waiting", "Superseded", "A newer version replaces it.", newest)
    edited = "The statements of an older version are shown until then." if post.current_reading_id else ""
    return PostProgress("waiting", "Queued", newest.error or edited, newest)


def missing_sentences(missing: list[str]) -> list[str]:
    return [MISSING.get(part, f"{part.replace('_', ' ')} was missing") for part in missing]
