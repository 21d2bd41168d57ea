"""Reading treebanks, and training and measuring a parser on a handful of sentences of our own."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from random import Random

import pytest
from django.core.management import CommandError, call_command

from extraction.text.parser import Parser
from training.dependency_parser.train import ParserConfig, save, score_parser, train
from training.dependency_parser.treebanks import Block, TreebankError, blocks, held_out, read, varied

CONLLU = """\
# newdoc id = one
# newpar
1	Ana	Ana	PROPN	_	_	4	nsubj	_	_
2-3	didn't	_	_	_	_	_	_	_	_
2	did	do	AUX	_	_	4	aux	_	_
3	n't	not	PART	_	_	4	advmod	_	_
4	sing	sing	VERB	_	_	0	root	_	SpaceAfter=No
5	.	.	PUNCT	_	_	4	punct	_	SpaceAfter=No

1	"	"	PUNCT	_	_	2	punct	_	SpaceAfter=No
2	Rain	rain	NOUN	_	_	0	root	_	_
2.1	fell	fall	VERB	_	_	_	_	_	_
3	"	"	PUNCT	_	_	2	punct	_	_

# newpar
1	Dogs	dog	NOUN	_	_	2	nsubj:outer	_	_
2	bark	bark	VERB	_	_	0	root	_	_

"""


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    path = tmp_path / "own.conllu"
    path.write_text(CONLLU)
    return path


def test_a_treebank_is_read_with_the_spaces_of_its_text(treebank: Path) -> None:
    first, second = blocks(read(treebank))
    assert first.text == 'Ana didn\'t sing. "Rain "'
    assert [[first.text[a:b] for a, b in spans] for spans in first.spans()] == [
        ["Ana", "did", "n't", "sing", "."],
        ['"', "Rain", '"'],
    ]
    assert first.trees[0].heads == (3, 3, 3, 3, 3)
    assert first.trees[0].document == "own:one"
    assert second.trees[0].deps == ("nsubj", "root")


def test_blocks_are_cut_after_so_many_sentences(treebank: Path) -> None:
    assert [len(block.trees) for block in blocks(read(treebank), size=1)] == [1, 1, 1]


def test_a_broken_treebank_is_reported_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.conllu"
    path.write_text("1\tAna\tAna\n")
    with pytest.raises(TreebankError, match=r"bad\.conllu, line 1"):
        read(path)
    with pytest.raises(TreebankError, match=r"none\.conllu cannot be read"):
        read(tmp_path / "none.conllu")


def test_variations_keep_every_tree_whole(treebank: Path) -> None:
    block, random = blocks(read(treebank))[0], Random(3)
    seen = {varied(block, random) for _ in range(200)}
    assert len(seen) == 5  # as it is, lower case, capitals, headline, curly quotes
    assert {each.text for each in seen} >= {"Ana Didn't Sing", 'ANA DIDN\'T SING. "RAIN "', "Ana didn’t sing. “Rain ”"}
    for each in seen:
        for tree in each.trees:
            assert all(0 <= head < len(tree.words) for head in tree.heads)
            assert len(tree.words) == len(tree.tags) == len(tree.heads) == len(tree.deps) == len(tree.spaces)


def test_held_out_documents_are_the_same_every_time(treebank: Path) -> None:
    documents = [Block((tree,)) for tree in read(treebank)]
    assert len({held_out(block) for block in documents}) == 1, "one document is never split"


TINY = ParserConfig(width=16, depth=1, rows=200, hidden=16, vectors=0, epochs=15, batch=30, rate=0.02, dropout=0.0)


def test_training_learns_repeats_and_is_saved_whole(treebank: Path, tmp_path: Path) -> None:
    gold = blocks(read(treebank)) * 12
    lines: list[str] = []
    nlp = train(gold, TINY, lines.append)
    trained = Parser(nlp)
    figures = score_parser(trained, gold[:2]).figures()
    assert figures["words"] == 100
    assert figures["upos"] > 85
    assert len(lines) == 15 and "epoch 15/15" in lines[-1]
    save(nlp, tmp_path / "out", figures)
    loaded = Parser.load(tmp_path / "out")
    texts = [block.text for block in gold[:2]]
    assert loaded.parse_texts(texts) == trained.parse_texts(texts)
    assert loaded.dep_labels == trained.dep_labels
    save(train(gold, TINY, lines.append), tmp_path / "again", figures)
    assert Parser.load(tmp_path / "again").version == loaded.version
    assert not list(tmp_path.glob("*.draft"))


def test_measuring_counts_words_heads_and_sentences(treebank: Path) -> None:
    class Fixed:
        """Answers with the gold trees but for one head, and both sentences of the first block as one."""

        def parse_texts(self, texts: list[str]) -> list[list[object]]:
            return [_as_words(block, spoil=index == 0) for index, block in enumerate(gold)]

    gold = blocks(read(treebank))
    figures = score_parser(Fixed(), gold).figures()  # type: ignore[arg-type]
    assert figures["words"] == figures["upos"] == figures["upos_accuracy"] == 100
    assert figures["uas"] == pytest.approx(90)
    assert figures["las"] == pytest.approx(90)
    assert figures["sentences"] == pytest.approx(40)  # 1 shared of 3 gold and 2 found


def _as_words(block: Block, spoil: bool) -> list[object]:
    from extraction.schema import Words

    spans = [span for places in block.spans() for span in places]
    words = [word for tree in block.trees for word in tree.words]
    tags = [tag for tree in block.trees for tag in tree.tags]
    deps = [dep for tree in block.trees for dep in tree.deps]
    heads, start = [], 0
    for tree in block.trees:
        heads += [start + head for head in tree.heads]
        start += len(tree.words)
    if spoil:
        heads[0] = 1
    return [Words(tuple(spans), tuple(words), tuple(tags), tuple(heads), tuple(deps))]


def test_the_command_wants_one_of_out_and_measure(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Give either --out"):
        call_command("train_parser", "--data", str(tmp_path))
    with pytest.raises(CommandError, match=r"en_ewt-ud-dev\.conllu cannot be read"):
        call_command("train_parser", "--data", str(tmp_path), "--measure", "shipped")


def test_the_command_prints_a_row_a_treebank(tmp_path: Path) -> None:
    for name in ("en_ewt-ud-dev", "en_ewt-ud-test", "en_pud-ud-test", "en_gum-ud-test"):
        (tmp_path / f"{name}.conllu").write_text(CONLLU)
    shown = StringIO()
    call_command("train_parser", "--data", str(tmp_path), "--measure", "shipped", stdout=shown)
    assert [line.split("  ")[0] for line in shown.getvalue().splitlines()[2:]] == [
        "held out of EWT and PUD",
        "en_gum-ud-test",
    ]
