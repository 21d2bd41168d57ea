"""Universal Dependencies treebanks (CoNLL-U) read into sentences, blocks of running text, and spaCy training examples.

https://universaldependencies.org/format.html. Only the text, the words, UPOS and the basic tree are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from zlib import crc32

# Sub-relations frequent enough in 70,000 words to be learnt; the rest is read without what follows the colon.
KEPT = {"nmod:poss", "aux:pass", "nsubj:pass", "acl:relcl", "obl:unmarked", "nmod:unmarked", "compound:prt"}
KEPT |= {"nmod:desc", "obl:agent", "det:predet"}
HELD_OUT = 8  # one document in eight, by its name, is measured on and never trained on
CURLY = str.maketrans({"'": "’", "`": "‘"})


class TreebankError(Exception):
    """A file is missing or is no CoNLL-U; the message names the file and line."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A gold sentence. `heads[i]` is word i's governor, itself at the root; `spaces[i]`: a space follows word i."""

    document: str
    paragraph: int
    words: tuple[str, ...]
    tags: tuple[str, ...]
    heads: tuple[int, ...]
    deps: tuple[str, ...]
    spaces: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Sentences that follow each other on one line of a text."""

    trees: tuple[Tree, ...]

    @property
    def text(self) -> str:
        return "".join(word + " " * space for tree in self.trees for word, space in _spaced(tree)).rstrip()

    def spans(self) -> list[list[tuple[int, int]]]:
        """The place of each word in `text`, by sentence."""
        place, sentences = 0, []
        for tree in self.trees:
            spans = []
            for word, space in _spaced(tree):
                spans.append((place, place + len(word)))
                place += len(word) + space
            sentences.append(spans)
        return sentences


def read(path: Path) -> list[Tree]:
    """All sentences of a CoNLL-U file in order. Raises TreebankError."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise TreebankError(f"The treebank {path} cannot be read: {error.strerror}.") from error
    document, paragraph, rows, trees = path.stem, 0, [], []
    for number, line in enumerate(lines, 1):
        if line.startswith("# newdoc"):
            document, paragraph = f"{path.stem}:{line.partition('=')[2].strip() or number}", 0
        elif line.startswith("# newpar"):
            paragraph += 1
        elif line and not line.startswith("#"):
            rows.append(_columns(line, path, number))
        elif not line and rows:
            trees.append(_tree(document, paragraph, rows))
            rows = []
    return trees


def blocks(trees: Sequence[Tree], size: int = 8) -> list[Block]:
    """Each paragraph as one block, cut after `size` sentences (which matters where a treebank marks no paragraphs)."""
    found: list[list[Tree]] = []
    for tree in trees:
        last = found[-1] if found else []
        if last and len(last) < size and (last[0].document, last[0].paragraph) == (tree.document, tree.paragraph):
            last.append(tree)
        else:
            found.append([tree])
    return [Block(tuple(group)) for group in found]


def held_out(block: Block) -> bool:
    return crc32(block.trees[0].document.encode()) % HELD_OUT == 0


def varied(block: Block, random: Random) -> Block:
    """`block`, or one block in three as a headline, a tweet or another typist would have written it: same trees."""
    draw = random.random()
    if draw < 0.06:
        return _rewritten(block, str.lower)
    if draw < 0.08:
        return _rewritten(block, str.upper)
    if draw < 0.16:
        return Block(tuple(_headline(tree) for tree in block.trees[:1]))
    if draw < 0.33:
        return _curly(block)
    return block


def _rewritten(block: Block, how: object) -> Block:
    assert callable(how)
    return Block(tuple(_with_words(tree, [how(word) for word in tree.words]) for tree in block.trees))


def _headline(tree: Tree) -> Tree:
    """Title case, without the full stop: capitals alone no longer mark a name."""
    words = [word if len(word) < 4 and tag in {"ADP", "DET", "CCONJ", "PART"} else word[:1].upper() + word[1:]
             for word, tag in zip(tree.words, tree.tags, strict=True)]  # fmt: skip
    tree = _with_words(tree, words)
    return _shortened(tree) if words[-1] == "." and len(words) - 1 not in tree.heads[:-1] and len(words) > 1 else tree


def _shortened(tree: Tree) -> Tree:
    columns = (tree.words, tree.tags, tree.heads, tree.deps, tree.spaces)
    words, tags, heads, deps, spaces = (column[:-1] for column in columns)
    return Tree(tree.document, tree.paragraph, words, tags, heads, deps, spaces)  # type: ignore[arg-type]


def _curly(block: Block) -> Block:
    """Typographic quotes and dashes, which the news has and the treebanks mostly have not."""
    trees, opened = [], False
    for tree in block.trees:
        words = []
        for word in tree.words:
            if word in {'"', "``", "''"}:
                opened = not opened
                word = "“" if opened else "”"
            words.append("—" if word == "--" else word.translate(CURLY))
        trees.append(_with_words(tree, words))
    return Block(tuple(trees))


def _with_words(tree: Tree, words: Sequence[str]) -> Tree:
    return Tree(tree.document, tree.paragraph, tuple(words), tree.tags, tree.heads, tree.deps, tree.spaces)


def _spaced(tree: Tree) -> Iterator[tuple[str, bool]]:
    return zip(tree.words, (*tree.spaces[:-1], True), strict=True)  # sentences of a block stand apart


def _columns(line: str, path: Path, number: int) -> list[str]:
    columns = line.split("\t")
    if len(columns) != 10 or not re.fullmatch(r"\d+([-.]\d+)?", columns[0]):
        raise TreebankError(f"{path}, line {number}: not a CoNLL-U word (10 columns, tabs between).")
    return columns


def _tree(document: str, paragraph: int, rows: list[list[str]]) -> Tree:
    """One sentence from its lines; a word written together with the next ("don't") keeps its parts as words."""
    inside: dict[int, tuple[int, bool]] = {}  # word -> last word of the run it is written in, and the space after that
    words, tags, heads, deps, spaces = [], [], [], [], []
    for row in rows:
        space = "SpaceAfter=No" not in row[9].split("|")
        if "-" in row[0]:
            first, last = map(int, row[0].split("-"))
            inside |= dict.fromkeys(range(first, last + 1), (last, space))
        elif "." not in row[0]:
            place, head = int(row[0]), int(row[6])
            last, after = inside.get(place, (place, space))
            # a form may hold a space ("10 000"); the tokenizer would cut it there, so it is written without
            words.append(row[1].replace(" ", "").replace("\u00a0", ""))
            tags.append(row[3])
            heads.append(head - 1 if head else place - 1)
            deps.append(row[7] if row[7] in KEPT else row[7].split(":")[0])
            spaces.append(after if place == last else False)
    return Tree(document, paragraph, tuple(words), tuple(tags), tuple(heads), tuple(deps), tuple(spaces))
