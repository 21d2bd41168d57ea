"""Load the Reader of a checkpoint folder: `reader().read([Document("1", "…")])`. No Django."""

from __future__ import annotations

from pathlib import Path

from extraction.reader.checkpoint import SHIPPED, CheckpointError, LoadedCheckpoint
from extraction.reader.joint import JointDetector, VisualJointDetector
from extraction.reader.pair_classifier import PairClassifier
from extraction.reader.reader import MentionDetector, Reader
from extraction.reader.tagger import Tagger
from extraction.text.parser import Parser
from extraction.vision.grounding import Grounder

FINDS_MENTIONS = ("word_pairs", "tags")  # heads


def reader(
    path: Path | str | None = None,
    device: str = "cpu",
    parser: Parser | None = None,
    grounder: Grounder | None = None,
) -> Reader:
    """The reader of the checkpoint in this folder, or of the shipped one. Raises CheckpointError or ParserMissing."""
    checkpoint = LoadedCheckpoint.load(Path(path) if path else SHIPPED, reads_on=device)
    return reader_of(checkpoint, parser or Parser.load(), device, grounder)


def reader_of(
    checkpoint: LoadedCheckpoint, parser: Parser, device: str = "cpu", grounder: Grounder | None = None
) -> Reader:
    """The reader of a checkpoint of any system. Raises CheckpointError."""
    if checkpoint.manifest.head in FINDS_MENTIONS:
        return Reader(parser, _single_detector(checkpoint, device), grounder=grounder)
    detector = _mention_detector(_detector_of(checkpoint, device), device)
    return Reader(parser, detector, PairClassifier(checkpoint, device, grounder), grounder)


def _single_detector(checkpoint: LoadedCheckpoint, device: str) -> MentionDetector:
    if checkpoint.manifest.head == "tags":
        return Tagger(checkpoint, device)
    visual = checkpoint.network.needs.objects
    return VisualJointDetector(checkpoint, device) if visual else JointDetector(checkpoint, device)


def _mention_detector(checkpoint: LoadedCheckpoint, device: str) -> MentionDetector:
    """The mention detector for a pair network: a joint network takes the text alone then."""
    return Tagger(checkpoint, device) if checkpoint.manifest.head == "tags" else JointDetector(checkpoint, device)


def _detector_of(checkpoint: LoadedCheckpoint, device: str) -> LoadedCheckpoint:
    """The checkpoint that finds the mentions for a pair checkpoint. Raises CheckpointError where it has changed."""
    named = checkpoint.manifest.mentions
    detector = LoadedCheckpoint.load(Path(named.get("path") or SHIPPED), reads_on=device)
    if detector.manifest.head not in FINDS_MENTIONS:
        raise CheckpointError(f"{named['path']} finds no mentions: it is a pair network itself")
    if named.get("digest", detector.digest) != detector.digest:
        raise CheckpointError(
            f"the checkpoint in {named['path']} is not the one that {checkpoint.manifest.name} was trained with: train "
            "it again, or restore the right one"
        )
    return detector
