"""How far a post has come, in words that say what happens next."""

from __future__ import annotations

from dataclasses import dataclass

from extraction.models import Post, Reading

MISSING = {
    "image": "its picture was not read",
    "facts": "nothing was looked up of whom it names",
    "detector": "there was no object detector, so pictures are shown and not read",
    "windowed": "a sentence was too long for the reader and was read in overlapping parts",
    "knowledge": "no knowledge source could be asked",
    "parser": "no parser was at hand",
    "page": "its page could not be had, so the feed's own summary was read",
}


@dataclass(frozen=True)
class PostProgress:
    """`code` colours the label; `detail` is a sentence, empty where the label says all."""

    code: str
    label: str
    detail: str = ""
    reading: Reading | None = None


def progress_of(post: Post) -> PostProgress:
    """Of a post whose current version's readings, with their checkpoints, have been fetched with it."""
    if post.state == Post.State.WITHDRAWN:
        return PostProgress("withdrawn", "Withdrawn", post.state_reason or "Its page is gone.")
    if post.state == Post.State.ERASED:
        return PostProgress("withdrawn", "Erased", post.state_reason)
    version = post.current_version
    if version is None:
        return PostProgress("waiting", "Waits to be fetched", post.error)
    readings = sorted(version.readings.all(), key=lambda reading: reading.pk)
    if not readings:
        return PostProgress("waiting", "Waits to be read", "")
    newest = readings[-1]
    match newest.stage:
        case Reading.Stage.DONE:
            return PostProgress("read", "Read", "", newest)
        case Reading.Stage.DECLINED:
            return PostProgress("declined", "Declined", newest.declined_message, newest)
        case Reading.Stage.FAILED:
            return PostProgress("failed", "Failed", newest.error, newest)
        case Reading.Stage.DROPPED:
            return PostProgress("waiting", "Superseded", "A newer version takes its place.", newest)
    edited = "An older version's statements are shown until then." if post.current_reading_id else ""
    return PostProgress("waiting", "Waits to be read", newest.error or edited, newest)


def missing_sentences(missing: list[str]) -> list[str]:
    return [MISSING.get(part, f"{part.replace('_', ' ')} was missing") for part in missing]
