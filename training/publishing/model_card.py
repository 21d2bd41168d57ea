"""The model card that stands beside a checkpoint's weights."""

from __future__ import annotations

from collections.abc import Sequence

from extraction.reader.checkpoint import Checkpoint
from training.config import TrainConfig
from training.evaluation.benchmark_rows import HEADING, Figures

SOURCES = {
    "redocred": "Re-DocRED (Tan et al., EMNLP 2022), MIT; text from Wikipedia, CC BY-SA. By sentence, with evidence. "
    "840 of its development and test documents; 60 others are dev, the last 100 of the test file are test.",
    "conll04": "CoNLL04 (Roth and Yih 2004) in SpERT's splits; newswire, no licence stated.",
    "jmere": "MNRE (Zheng et al. 2021), its sentences with a relation; tweets, under Twitter's terms.",
    "mnre_none": "MNRE, its sentences without a relation.",
    "newsroom": "Sentences in the manner of news, written for kgbuilder (`extraction/samples/newsroom`), CC0.",
    "twitter2015": "Twitter2015 (Zhang et al. 2018), mentions only; tweets, under Twitter's terms.",
    "twitter2017": "Twitter2017 (Lu et al. 2018), mentions only; tweets, under Twitter's terms.",
}

LIMITS = """\
- English only; trained mostly on Wikipedia, so it is less sure of itself in news than its dev figures say.
- A relation is read within one sentence (the title is shown beside it): what an article says over two sentences, or of
  "he" and "the company", is missed.
- A mention of more than 12 words is not found; a sentence of more than 100 words is read in overlapping windows.
- Relations seen rarely in training are rarely found. What is asserted is what the text says or seems to say, not what
  is true; negation, hearsay and plans are sometimes read as facts.
- The weights carry whatever leanings Wikipedia and Twitter have about people and places."""


def card(checkpoint: Checkpoint, rows: Sequence[Figures], precision: float) -> str:
    """The card as Markdown. `precision` is what the thresholds were chosen for."""
    manifest = checkpoint.manifest
    config = TrainConfig.from_dict(manifest.training["config"])
    dev = manifest.metrics["dev"]
    sections = [
        f"# {manifest.name}",
        "Reads English sentences: mentions, their types, and relations between them. EEGA's text side (Yuan et al., "
        f"AAAI 2023) on {config.encoder} (Apache-2.0); the differences from the paper are numbered in "
        "`extraction/networks/eega.py`. Its only input is text: no pictures, no knowledge base.",
        f"Made by `manage.py train eega`{_begun(config)} in {manifest.training['seconds'] / 60:.0f} minutes, "
        f"parser `{manifest.parser}`. Digest `{checkpoint.digest}`.",
        "## Data",
        "\n".join(f"- {SOURCES.get(name, name)}" for name in config.data),
        "A text that stands in the dev or test part of one of these sets is not trained on. The co-occurrence table "
        "is counted on the training sentences alone and holds hashes of words, no text. Counted while loading:",
        "\n".join(f"- {note}" for note in manifest.training["notes"]),
        "## Figures",
        "Test parts, in each set's own labels, strict: both spans, both types, relation, direction. F1 is at the one "
        f"threshold that was best on dev ({dev['best_f1_threshold']}). Printed by `manage.py evaluate`.",
        _thresholds(precision),
        "\n".join([line(HEADING), line(["---"] * len(HEADING)), *(line(row.row()) for row in rows)]),
        f"Dev: {dev['precision_at_thresholds']:.1%} of the relations asserted at the shipped thresholds are right and "
        f"{dev['recall_at_thresholds']:.1%} of the annotated ones found; expected calibration error of a relation's "
        f"probability {dev['relation_calibration_error']:.3f}.",
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


def _begun(config: TrainConfig) -> str:
    return f", going on from {config.start}," if config.start else ""


def _thresholds(precision: float) -> str:
    return f"The shipped thresholds were chosen on dev so that {precision:.0%} of what is asserted is right."


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
