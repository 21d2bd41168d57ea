"""The model card that stands beside a checkpoint's weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extraction.labels import NEWS
from extraction.reader.checkpoint import LoadedCheckpoint
from training.config import TrainConfig
from training.data.images import inputs
from training.evaluation.benchmark_rows import HEADING, DataSetScores
from training.evaluation.bootstrap import interval
from training.publishing.calibration import PRECISION
from training.publishing.news_thresholds import PRECISION as NEWS_PRECISION
from training.publishing.news_thresholds import SENSITIVE_PRECISION
from training.recipes import ABOUT
from training.scores import Scores

SOURCES = {
    "redocred": "Re-DocRED (Tan et al., EMNLP 2022), MIT; text from Wikipedia, CC BY-SA. By sentence, with evidence. "
    "840 of its development and test documents; 60 others are dev, the last 100 of the test file are test.",
    "conll04": "CoNLL04 (Roth and Yih 2004) in SpERT's splits; newswire, no licence stated.",
    "jmere": "MNRE (Zheng et al. 2021), its sentences with a relation; tweets, under Twitter's terms.",
    "mnre": "MNRE version 2 (Zheng et al., ACM MM 2021), by pair; tweets, under Twitter's terms.",
    "gmner": "GMNER version 2 (Yu et al., ACL 2023), with the regions of its pictures; tweets, under Twitter's terms.",
    "more": "MORE (He et al., ACM MM 2023), with the regions of its pictures.",
    "mnre_none": "MNRE, its sentences without a relation.",
    "voa": "Voice of America, 184 articles annotated for kgbuilder (`training/corpora/voa`); annotation CC0.",
    "newsroom": "Short news items, written and annotated for kgbuilder (`training/corpora/newsroom`), CC0.",
    "twitter2015": "Twitter2015 (Zhang et al. 2018), mentions only; tweets, under Twitter's terms.",
    "twitter2017": "Twitter2017 (Lu et al. 2018), mentions only; tweets, under Twitter's terms.",
}

WHOLE_SENTENCES = """\
- A relation is extracted within one sentence (the title may be shown beside it): what an article states over two
  sentences, or of "he" and "the company", is missed.
- A mention of more than 12 words is not found; a sentence of more than 100 words is split into overlapping windows.
- Relations seen rarely in training are rarely found. What is extracted is what the text states or seems to state, not
  what is true; negation, hearsay and plans are sometimes taken for facts."""


NEWS_ARTICLES = """\
- A relation is extracted within one sentence, of whom its pronouns and nominals mean; what only two sentences together
  state is missed. A pronoun in four leads to somebody else, a nominal more often.
- A mention of more than 12 words is not found; a sentence of more than 100 words is split into overlapping windows.
- Its news is American and of foreign affairs, or written for training. Relations seen rarely are rarely found.
- What is extracted is what the text states, plans, claims or denies, not what is true. No person has checked the
  annotation.
- The weights carry whatever leanings the texts of its data sets have about people and places."""


def card(
    checkpoint: LoadedCheckpoint, config: TrainConfig, scores: dict[str, Scores], rows: Sequence[DataSetScores] | None
) -> str:
    """The card as Markdown. `rows`: the scores on each data set in its own labels, None where the head has none."""
    manifest = checkpoint.manifest
    about = ABOUT[config.system]
    begun = f", going on from {config.start}," if config.start else ""
    sections = [
        f"# {manifest.name}",
        f"{about.title}: {about.task} (head `{manifest.head}`), on {config.encoder}. {about.paper}. The differences "
        f"from the paper are numbered in `extraction/networks/{config.system}.py`.",
        f"Its inputs: {', '.join(inputs(checkpoint))}.",
        f"Made by `manage.py train {config.system}`{begun} in {manifest.training['seconds'] / 60:.0f} minutes, seed "
        f"{config.seed}, parser `{manifest.parser}`. Digest `{checkpoint.digest}`.",
        "## Data",
        "\n".join(f"- {SOURCES.get(name, name)}" for name in config.data),
        f"Trained in {config.labels} labels. A text that stands in the dev or test part of one of these sets is not "
        "trained on. The co-occurrence table is counted on the training sentences alone and holds hashes of words, no "
        "text. Counted while loading:",
        "\n".join(f"- {note}" for note in manifest.training["notes"]),
        "## Metrics",
        *_metrics(scores),
        *(_by_data_set(checkpoint, rows) if rows else ()),
        "## Limits",
        "\n".join(_limits(rows is not None, config.data)),
    ]
    return "\n\n".join(sections) + "\n"


def _metrics(scores: dict[str, Scores]) -> Iterator[str]:
    names = list(scores["test"].figures)
    table = [line(["part", *names]), line(["---"] * (1 + len(names)))]
    yield "\n".join([*table, *(line([split, *map(_share, one.figures.values())]) for split, one in scores.items())])
    if len(scores["test"].counts):
        band = interval(scores["test"].counts)
        yield f"95 % interval of the test F1 over resampled items: {band.low:.1%} to {band.high:.1%}."


def _share(value: float) -> str:
    return f"{value:.1%}"


def _by_data_set(checkpoint: LoadedCheckpoint, rows: Sequence[DataSetScores]) -> Iterator[str]:
    dev = checkpoint.manifest.metrics["dev"]
    yield (
        "By test part, in each set's own labels, strict: both spans, both types, relation, direction. F1 is at the one "
        f"threshold that was best on dev ({dev['best_f1_threshold']}). Printed by `manage.py evaluate`."
    )
    yield "\n".join([line(HEADING), line(["---"] * len(HEADING)), *(line(row.row()) for row in rows)])
    if "news_articles" in dev:
        yield (
            f"The thresholds were chosen on the {dev['news_articles']} dev articles of `voa` and `newsroom`, by whole "
            f"articles, so that {NEWS_PRECISION:.0%} of what is asserted agrees with the annotation, and "
            f"{SENSITIVE_PRECISION:.0%} of what harms people if it is wrong. There "
            f"{dev['news_precision_at_thresholds']:.1%} of it agree, and {dev['news_recall_at_thresholds']:.1%} of the "
            "annotated facts are asserted. Whoever chose the settings has seen dev; test was seen by its annotators "
            "alone. `manage.py evaluate_news` measures both."
        )
    else:
        yield f"The shipped thresholds were chosen on dev so that {PRECISION:.0%} of what is asserted is right."
    yield (
        f"Dev, by sentence: {dev['precision_at_thresholds']:.1%} of the relations asserted at thresholds for "
        f"{PRECISION:.0%} are right and {dev['recall_at_thresholds']:.1%} of the annotated ones found; expected "
        f"calibration error of a relation's probability {dev['relation_calibration_error']:.3f}."
    )


def _limits(sentences: bool, data: Sequence[str]) -> Iterator[str]:
    yield "- English only."
    if set(NEWS) & set(data):
        yield NEWS_ARTICLES
        return
    if "redocred" in data:
        yield "- Trained mostly on Wikipedia: it is less confident in news than its dev metrics say."
    if sentences:
        yield WHOLE_SENTENCES
    yield "- The weights carry whatever leanings the texts of its data sets have about people and places."


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
