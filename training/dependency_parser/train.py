"""Training and measuring the parser that kgbuilder ships: one shared encoder, a tagger and a transition-based parser.

The encoder is spaCy's HashEmbedCNN (hash embeddings of norm, prefix, suffix and shape, then a CNN; Honnibal et al.,
spaCy 3), the parser its arc-eager system with non-monotonic transitions that also finds sentence bounds (Honnibal and
Johnson, EMNLP 2015). The treebanks at hand are small (64,000 words), so the encoder also sees static word vectors: the
principal components of all-MiniLM-L6-v2's input embeddings (Apache-2.0), which helps most on other kinds of text.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from extraction.schema import Words
from training.dependency_parser.treebanks import Block, varied

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example as SpacyExample
    from spacy.vectors import Vectors

    from extraction.text.parser import Parser

NAME = "kgbuilder_ud"
LICENCE = "CC BY-SA 4.0"
SOURCES = "Universal Dependencies English EWT (dev, test) and PUD, https://universaldependencies.org"

VECTORS_FROM, EMBEDDINGS = "all-MiniLM-L6-v2", "embeddings.word_embeddings.weight"


@dataclass(frozen=True, slots=True)
class ParserConfig:
    """What a run is made of. `width` and `depth` are the encoder's, `vectors` the static vectors' dimensions (0: none).

    Batches are counted in words.
    """

    width: int = 96
    depth: int = 4
    rows: int = 3000
    hidden: int = 64
    vectors: int = 48
    epochs: int = 20
    batch: int = 600
    rate: float = 0.002
    dropout: float = 0.2
    seed: int = 1


@dataclass(slots=True)
class ParserScore:
    """Counts over running text, as in the CoNLL 2018 shared task: a word counts where its span agrees with gold."""

    gold: int = 0
    found: int = 0
    shared: int = 0
    tags: int = 0
    heads: int = 0
    labelled: int = 0
    sentences: list[int] = field(default_factory=lambda: [0, 0, 0])

    def figures(self) -> dict[str, float]:
        """F1 in per cent of words, UPOS, UAS, LAS (without sub-relations) and sentences; UPOS as accuracy on words."""
        both = max(self.gold + self.found, 1)
        gold, found, shared = self.sentences
        return {
            "words": 200 * self.shared / both,
            "upos": 200 * self.tags / both,
            "uas": 200 * self.heads / both,
            "las": 200 * self.labelled / both,
            "sentences": 200 * shared / max(gold + found, 1),
            "upos_accuracy": 100 * self.tags / max(self.shared, 1),
        }


def score_parser(parser: Parser, blocks: Sequence[Block]) -> ParserScore:
    """The parser on the blocks' text, from characters on: its own words and sentences against the gold ones."""
    score = ParserScore()
    for block, found in zip(blocks, parser.parse_texts([block.text for block in blocks]), strict=True):
        _count(score, block, found)
    return score


def _count(score: ParserScore, block: Block, found: Sequence[Words]) -> None:
    spans = block.spans()
    gold = {
        span: (tag, places[head], dep.split(":")[0])
        for tree, places in zip(block.trees, spans, strict=True)
        for span, tag, head, dep in zip(places, tree.tags, tree.heads, tree.deps, strict=True)
    }
    mine = {
        span: (tag, words.spans[head], dep.split(":")[0])
        for words in found
        for span, tag, head, dep in zip(words.spans, words.tags, words.heads, words.deps, strict=True)
    }
    shared = gold.keys() & mine.keys()
    score.gold, score.found, score.shared = score.gold + len(gold), score.found + len(mine), score.shared + len(shared)
    for span in shared:
        (tag, head, dep), (my_tag, my_head, my_dep) = gold[span], mine[span]
        score.tags += tag == my_tag
        score.heads += head == my_head
        score.labelled += (head, dep) == (my_head, my_dep)
    bounds = {(places[0][0], places[-1][1]) for places in spans}
    my_bounds = {(words.spans[0][0], words.spans[-1][1]) for words in found}
    for index, count in enumerate((len(bounds), len(my_bounds), len(bounds & my_bounds))):
        score.sentences[index] += count


def train(blocks: Sequence[Block], config: ParserConfig, report: Callable[[str], None]) -> Language:
    """A trained pipeline; `report` gets a line an epoch. The same blocks, config and library versions give the same."""
    from thinc.api import Adam, fix_random_seed

    fix_random_seed(config.seed)
    random = Random(config.seed)
    nlp = _pipeline(config)
    nlp.initialize(lambda: [example for block in blocks for example in _examples(nlp, [block])])
    optimizer = Adam(config.rate, beta2=0.99, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True)
    steps, started = _Steps(blocks, config), time.monotonic()
    for epoch in range(config.epochs):
        losses: dict[str, float] = {}
        for batch in steps.epoch(random):
            optimizer.learn_rate = steps.rate()
            nlp.update(_examples(nlp, batch), drop=config.dropout, sgd=optimizer, losses=losses)
        spent = time.monotonic() - started
        left = spent / (epoch + 1) * (config.epochs - epoch - 1)
        found = "  ".join(f"{name} {loss:,.0f}" for name, loss in losses.items())
        report(f"epoch {epoch + 1}/{config.epochs}  {found}  {spent:.0f} s, {left:.0f} s left")
    with nlp.use_params(optimizer.averages):
        return _copy(nlp, config)


def save(nlp: Language, out: Path, figures: dict[str, float]) -> None:
    """The pipeline as a folder that replaces `out`. Its version ends in a digest: two trainings never share one.

    The digest leaves out the list of words met, which grows with every text that the pipeline parses.
    """
    draft = out.with_name(out.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    nlp.to_disk(draft)
    digest = hashlib.sha256()
    for path in sorted(draft.rglob("*")):
        if path.is_file() and path.name not in {"meta.json", "strings.json"}:
            digest.update(path.read_bytes())
    meta = json.loads((draft / "meta.json").read_text())
    meta |= {"name": NAME, "version": f"1.{digest.hexdigest()[:10]}", "license": LICENCE, "sources": SOURCES}
    meta |= {"performance": {name: round(value, 2) for name, value in figures.items()}}
    (draft / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    if out.exists():
        shutil.rmtree(out)
    draft.rename(out)


class _Steps:
    """Batches of an epoch, and the learning rate: up for a twentieth of the run, then down to nothing in a line."""

    def __init__(self, blocks: Sequence[Block], config: ParserConfig) -> None:
        self._blocks, self._config, self._done = blocks, config, 0
        words = sum(len(tree.words) for block in blocks for tree in block.trees)
        self._all = max(1, words * config.epochs // config.batch)

    def rate(self) -> float:
        self._done += 1
        share = self._done / self._all
        return self._config.rate * max(min(share * 20, (1 - share) / 0.95), 0.01)

    def epoch(self, random: Random) -> Iterator[list[Block]]:
        order = list(self._blocks)
        random.shuffle(order)
        batch, size = [], 0
        for block in order:
            batch.append(varied(block, random))
            size += sum(len(tree.words) for tree in block.trees)
            if size >= self._config.batch:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch


def _pipeline(config: ParserConfig) -> Language:
    import spacy

    nlp = spacy.blank("en")
    if config.vectors:
        nlp.vocab.vectors = _vectors(config.vectors)
    encoder = {
        "@architectures": "spacy.HashEmbedCNN.v2", "width": config.width, "depth": config.depth, "window_size": 1,
        "embed_size": config.rows, "maxout_pieces": 3, "subword_features": True,
        "pretrained_vectors": bool(config.vectors) or None,
    }  # fmt: skip
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": config.width, "upstream": "*"}
    nlp.add_pipe("tok2vec", config={"model": encoder})
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener, "nO": None}
    nlp.add_pipe("morphologizer", config={"model": tagger})
    states = {
        "@architectures": "spacy.TransitionBasedParser.v2", "state_type": "parser", "extra_state_tokens": False,
        "hidden_width": config.hidden, "maxout_pieces": 2, "use_upper": True, "nO": None, "tok2vec": listener,
    }  # fmt: skip
    nlp.add_pipe("parser", config={"model": states, "min_action_freq": 10, "learn_tokens": False})
    return nlp


def _examples(nlp: Language, blocks: Sequence[Block]) -> list[SpacyExample]:
    """A block's gold words beside those of our tokenizer; spaCy aligns them and leaves out what does not agree."""
    from spacy.tokens import Doc
    from spacy.training import Example as SpacyExample

    examples = []
    for block in blocks:
        words = [word for tree in block.trees for word in tree.words]
        heads, place = [], 0
        for tree in block.trees:
            heads += [place + head for head in tree.heads]
            place += len(tree.words)
        spaces = [space for tree in block.trees for space in (*tree.spaces[:-1], True)]
        gold = Doc(
            nlp.vocab,
            words=words,
            spaces=spaces,
            pos=[tag for tree in block.trees for tag in tree.tags],
            heads=heads,
            deps=["ROOT" if dep == "root" else dep for tree in block.trees for dep in tree.deps],
            sent_starts=[index == 0 for tree in block.trees for index in range(len(tree.words))],
        )
        tokens = [token for token in nlp.make_doc(block.text) if not token.is_space]
        doc = Doc(nlp.vocab, words=[t.text for t in tokens], spaces=[bool(t.whitespace_) for t in tokens])
        examples.append(SpacyExample(doc, gold))
    return examples


def _copy(nlp: Language, config: ParserConfig) -> Language:
    """A new pipeline with these weights, for averaged ones hold only while the training's context is open.

    The vocabulary is not copied: it has met every word of the treebanks, and none of them is looked up again.
    """
    return _pipeline(config).from_bytes(nlp.to_bytes(exclude=["vocab"]))


def _vectors(dimensions: int) -> Vectors:
    """A vector for each whole word among MiniLM's word pieces, by the word's norm: lower case, plain quotes."""
    import numpy as np
    from safetensors.numpy import load_file
    from spacy.strings import get_string_id
    from spacy.vectors import Vectors

    from extraction.networks.encoders.text import find

    folder = Path(find(VECTORS_FROM))
    pieces = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    words = [word for word in pieces if word.isascii() and not word.startswith(("##", "["))]
    (table,) = (value for name, value in load_file(folder / "model.safetensors").items() if name.endswith(EMBEDDINGS))
    rows = table[[pieces[word] for word in words]].astype("float32")
    left, sizes, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    data = left[:, :dimensions] * sizes[:dimensions]
    data /= np.linalg.norm(data, axis=1).mean()
    return Vectors(data=data, keys=[get_string_id(word) for word in words], attr="NORM", name="minilm")
