"""From a checkpoint's folder to a reader: `reader().read([Document("1", "…")])`. No Django."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from extraction.reader.checkpoint import SHIPPED, Checkpoint, CheckpointError
from extraction.reader.extractor import Extractor
from extraction.reader.pair_extractor import PairExtractor
from extraction.reader.tag_extractor import TagExtractor
from extraction.reader.visual_extractor import SeeingExtractor
from extraction.text.parser import Parser


def reader(path: Path | str | None = None, device: str = "cpu", parser: Parser | None = None) -> Extractor:
    """The reader of the checkpoint in this folder, or of the shipped one. Raises CheckpointError or ParserMissing."""
    checkpoint = Checkpoint.load(Path(path) if path else SHIPPED)
    return reader_of(checkpoint, parser or Parser.load(), device)


def reader_of(checkpoint: Checkpoint, parser: Parser, device: str = "cpu") -> Extractor:
    """The reader of a checkpoint of any system. Raises CheckpointError."""
    head = checkpoint.manifest.head
    if head == "word_pairs":
        return (SeeingExtractor if checkpoint.network.needs.objects else Extractor)(checkpoint, parser, device)
    if head == "tags":
        return TagExtractor(_for_any_parser(checkpoint, parser), parser, device)
    return PairExtractor(_for_any_parser(checkpoint, parser), _detector(checkpoint, parser, device), parser, device)


def _detector(checkpoint: Checkpoint, parser: Parser, device: str) -> Extractor:
    """What finds the mentions for a pair checkpoint. Raises CheckpointError where that is another one now."""
    named = checkpoint.manifest.mentions
    found = reader_of(Checkpoint.load(Path(named.get("path") or SHIPPED)), parser, device)
    if isinstance(found, PairExtractor):
        raise CheckpointError(f"{named['path']} finds no mentions: it is itself asked about those of another one")
    if named.get("digest", found.digest) != found.digest:
        raise CheckpointError(
            f"the checkpoint in {named['path']} is not the one that {checkpoint.manifest.name} was put behind: train "
            "it again, or put the right one back"
        )
    return found


def _for_any_parser(checkpoint: Checkpoint, parser: Parser) -> Checkpoint:
    """A network that reads no trees was trained without a parser: any one will do."""
    if checkpoint.manifest.parser != "none":
        return checkpoint
    return replace(checkpoint, manifest=replace(checkpoint.manifest, parser=parser.version))
