"""Documents in, mentions and relations out: offsets, batches, windows, refusals; and a checkpoint's folder."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from extraction.features.cooccurrence import PmiTable
from extraction.reader import joint, load
from extraction.reader.checkpoint import CheckpointError, LoadedCheckpoint
from extraction.reader.load import reader_of
from extraction.reader.merging import folded, merge
from extraction.reader.passages import WINDOW, PassageReading, passages_of
from extraction.schema import Document, ExtractedMention, Extraction, Relation
from extraction.text.parser import Parser
from tests.tiny import tiny_checkpoint

TEXTS = (
    "Ada Lovelace worked with Charles Babbage in London on the engine that he had planned for many years.",
    "The river rises in the hills. It flows through three towns, and people have lived on its banks for long.",
    "Headline of a short story\n\nThe story says that Zoë 😀 met Émile in Genève, and that they talked for an hour.",
)


@pytest.fixture(scope="module")
def parser():
    return Parser.load()


@pytest.fixture(scope="module")
def checkpoint(parser):
    """Random weights that find something: without bias towards "no mention" or "no relation"."""
    made = tiny_checkpoint(parser, seed=6, pmi=PmiTable.count([text.split() for text in TEXTS], minimum=1))
    with torch.no_grad():
        made.network.get_parameter("relations.out.bias").fill_(1.0)
    return dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, floor=0.3))


@pytest.fixture
def reader(checkpoint, parser):
    return reader_of(checkpoint, parser)


def documents() -> list[Document]:
    titles = (0, 0, TEXTS[2].index("\n"))
    return [Document(str(number), text, title) for number, (text, title) in enumerate(zip(TEXTS, titles, strict=True))]


def facts(extraction: Extraction) -> dict[tuple[int, int, str], float]:
    """Where a fact's head and tail begin, and its relation -> its score."""
    starts = [mention.start for mention in extraction.mentions]
    ends = [(one, one.tail) for one in extraction.relations if isinstance(one.tail, int)]
    return {(starts[one.head], starts[tail], one.key): one.score for one, tail in ends}


def test_offsets_count_in_the_documents_text(reader):
    for document, extraction in zip(documents(), reader.read(documents()), strict=True):
        assert extraction.id == document.id and extraction.text == document.text
        assert extraction.mentions and extraction.declined is None
        for mention in extraction.mentions:
            quote = document.text[mention.start : mention.end]
            assert quote and quote == quote.strip() and "\n" not in quote
            assert 0 <= mention.score <= 1
        starts = [mention.start for mention in extraction.mentions]
        assert starts == sorted(starts)


def test_relations_join_mentions_and_reach_the_floor(reader):
    found = [relation for one in reader.read(documents()) for relation in one.relations]
    assert found
    assert all(reader.floor <= relation.score <= 1 for relation in found)
    keys = set(reader.checkpoint.manifest.inventory.relation_keys)
    for extraction in reader.read(documents()):
        for relation in extraction.relations:
            head, tail = extraction.mentions[relation.head], extraction.mentions[relation.tail]
            kind = next(r for r in reader.checkpoint.manifest.inventory.relations if r.key == relation.key)
            assert relation.key in keys and kind.permits(head.type, tail.type) and relation.head != relation.tail


def test_a_document_is_read_the_same_alone_and_among_others(reader):
    together = reader.read(documents() * 3)
    for document, extraction in zip(documents(), together, strict=False):
        (alone,) = reader.read([document])
        assert [(m.start, m.end, m.type) for m in alone.mentions] == [
            (m.start, m.end, m.type) for m in extraction.mentions
        ]
        assert facts(alone) == pytest.approx(facts(extraction), abs=1e-4)


GERMAN = "Bundeskanzler Olaf Scholz traf am Montag in Berlin den französischen Präsidenten."


def test_a_short_text_in_another_language_is_declined_where_its_page_says_so_and_pointed_out_elsewhere(reader):
    """Too short for certainty: the declaration decides, and without one the reading says that it may be wrong."""
    declared, unsaid, wrongly = reader.read(
        [Document("1", GERMAN, language="de-AT"), Document("2", GERMAN), Document("3", GERMAN, language="en")]
    )
    assert (
        declared.declined is not None and declared.declined.code == "language" and "'de'" in declared.declined.message
    )
    for found in (unsaid, wrongly):
        assert found.declined is None and "language" in found.missing
    names, english = reader.read(
        [Document("4", "Merkel, Macron, Sánchez"), Document("5", "The chancellor met the president.", language="de")]
    )
    assert names.declined is None and "language" not in names.missing
    assert english.missing == names.missing


def test_the_title_is_a_sentence_of_its_own_and_shown_beside_the_others(parser):
    passages = passages_of(parser, [documents()[2]], titled=True)
    assert passages[0].title == ()
    assert all(one.title == ("Headline", "of", "a", "short", "story") for one in passages[1:]) and len(passages) > 1
    assert all(one.title == () for one in passages_of(parser, [documents()[2]], titled=False))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \n … !", "empty"),
        ("a " * 150_000, "too_long"),
        (
            "Die Regierung hat gestern beschlossen, dass die neuen Regeln erst im Herbst gelten sollen, wie sie sagte.",
            "language",
        ),
    ],
)
def test_a_declined_text_has_a_reason(reader, text, code):
    (extraction,) = reader.read([Document("1", text)])
    assert extraction.declined is not None and extraction.declined.code == code and extraction.declined.message
    assert extraction.mentions == () and extraction.text == text


def test_a_long_sentence_is_read_in_windows_and_reported(reader):
    long = "Ada Lovelace met " + "and ".join(f"Charles Babbage {number} " for number in range(60)) + "in London ."
    short, extraction = reader.read([Document("1", "Ada met Charles."), Document("2", long)])
    assert short.missing == () and extraction.missing == ("windowed",)
    assert max(mention.end for mention in extraction.mentions) > len(long) // 2
    spans = [(mention.start, mention.end) for mention in extraction.mentions]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_a_sentence_of_too_many_pieces_is_cut_until_it_fits(reader, parser, checkpoint):
    narrow = dataclasses.replace(checkpoint, featurizer=_with_pieces(checkpoint, 40))
    (extraction,) = reader_of(narrow, parser).read([documents()[0]])
    assert extraction.missing == ("windowed",) and extraction.declined is None


def _with_pieces(checkpoint: LoadedCheckpoint, pieces: int):
    from extraction.features.featurizer import Featurizer

    old = checkpoint.featurizer
    return Featurizer(old.tokenizer, old.pos, old.deps, old.pmi, pieces)


def test_windows_share_words(parser):
    passages = passages_of(parser, [Document("1", "word " * 150 + ".")], titled=True)
    assert len(passages) > 1 and all(len(one.words.words) <= WINDOW for one in passages)
    assert passages[0].words.spans[-1] > passages[1].words.spans[0]


def test_one_document_that_breaks_the_reader_does_not_break_the_others(reader, monkeypatch):
    parse = reader.parser.parse_texts

    def breaks(texts):
        if any("Zoë" in text for text in texts):
            raise ValueError("a word too many")
        return parse(texts)

    monkeypatch.setattr(reader.parser, "parse_texts", breaks)
    first, second, third = reader.read(documents())
    assert first.mentions and second.mentions
    assert (
        third.declined is not None and third.declined.code == "failed" and "a word too many" in third.declined.message
    )


def test_nothing_to_read(reader):
    assert reader.read([]) == []


@pytest.mark.parametrize("window", [0, 160])
def test_the_bare_encoder_sees_the_batches_that_are_read(checkpoint, parser, window, monkeypatch):
    manifest = dataclasses.replace(checkpoint.manifest, window=window)
    reader = reader_of(dataclasses.replace(checkpoint, manifest=manifest), parser)
    encoded, encode = [], checkpoint.network.encode

    def noted(batch):
        encoded.append(batch.ids.shape)
        return encode(batch)

    monkeypatch.setattr(checkpoint.network, "encode", noted)
    reader.read(documents())
    assert {"parse", "features", "encode", "head", "decode"} <= set(reader.seconds)
    read, encoded[:] = list(encoded), []
    batches = reader.batches(documents())
    reader.encode_only(batches)
    assert encoded == read
    assert sum(len(batch.first) for batch in batches) >= 5
    assert (sum(len(batch.ids) for batch in batches) == len(documents())) == bool(window)


def test_thresholds(checkpoint, parser):
    manifest = dataclasses.replace(checkpoint.manifest, thresholds={"default": 0.4, "employer": 0.7})
    made = reader_of(dataclasses.replace(checkpoint, manifest=manifest), parser)
    assert made.threshold("employer") == 0.7 and made.threshold("spouse") == 0.4


@pytest.fixture
def folder(checkpoint, tmp_path):
    return checkpoint.save(tmp_path / "checkpoint")


def test_a_saved_checkpoint_reads_as_before(folder, checkpoint, parser):
    with torch.no_grad():
        for weight in checkpoint.network.parameters():
            weight.copy_(weight.half().float())
    saved, before = reader_of(LoadedCheckpoint.load(folder), parser), reader_of(checkpoint, parser)
    assert saved.checkpoint.manifest == checkpoint.manifest and len(saved.digest) == 64
    for one, other in zip(saved.read(documents()), before.read(documents()), strict=True):
        assert one == other


def test_a_digest_identifies_a_checkpoint(folder, tmp_path):
    one = LoadedCheckpoint.load(folder).digest
    config = json.loads((folder / "config.json").read_text())
    config["thresholds"]["default"] = 0.61
    (folder / "config.json").write_text(json.dumps(config))
    assert LoadedCheckpoint.load(folder).digest != one


def test_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        LoadedCheckpoint.load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pmi.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_a_broken_file_is_named(folder, name, damage):
    (folder / name).unlink()
    if damage == "garbage":
        (folder / name).write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(CheckpointError, match=str(folder)):
        LoadedCheckpoint.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "somebody.else/7"}, "somebody.else/7"),
        ({"system": "oracle"}, "oracle"),
        ({"system": "mega"}, "config.json"),
        ({"head": "tags"}, "no head 'tags'"),
        ({"schema": "kgbuilder.checkpoint/1", "system": "mtb"}, "of 'kgbuilder.checkpoint/1', system 'mtb'"),
        ({"thresholds": {"default": 7}}, "probabilities"),
        ({"thresholds": {}}, "probabilities"),
        ({"inventory": {"types": ["person"], "relations": []}}, "1 types"),
        ({"network": {"nonsense": 1}}, "config.json"),
        ({"calibration": {"mention": [1, 0], "relation": [1, 0], "biases": {}}}, "2 numbers"),
        ({"surprise": 1}, "config.json"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(folder, change, message):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(CheckpointError, match=message):
        LoadedCheckpoint.load(folder)


def test_weights_of_another_network_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    config["network"]["relation_hidden"] *= 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="do not fit"):
        LoadedCheckpoint.load(folder)


def test_weights_that_are_not_numbers_are_refused(folder):
    arrays = load_file(folder / "model.safetensors")
    arrays["types.out.2.bias"][0] = np.nan
    save_file(arrays, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="not finite"):
        LoadedCheckpoint.load(folder)


def test_a_checkpoint_needs_nothing_outside_its_folder(folder, tmp_path, parser):
    moved = shutil.move(folder, tmp_path / "elsewhere")
    assert load.reader(moved, parser=parser).read([documents()[0]])[0].mentions


def test_another_parser_than_the_trained_one_is_logged(checkpoint, parser, caplog):
    manifest = dataclasses.replace(checkpoint.manifest, parser="another 1.0")
    reader_of(dataclasses.replace(checkpoint, manifest=manifest), parser)
    assert "another 1.0" in caplog.text and parser.version in caplog.text


def test_a_relation_and_its_inverse_are_one_fact_in_one_direction():
    mentions = [
        ExtractedMention(0, 4, "location"),
        ExtractedMention(6, 12, "location"),
        ExtractedMention(14, 18, "organization"),
    ]
    read = [Relation(0, 1, "located_in", 0.4), Relation(1, 0, "contains", 0.9), Relation(2, 1, "located_in", 0.8)]
    once = folded({(one.head, int(str(one.tail)), one.key): one for one in read}, mentions)
    assert {place: one.score for place, one in once.items()} == {
        (0, 1, "located_in"): 0.9,
        (2, 1, "located_in"): 0.8,
    }


@pytest.mark.parametrize("other, stands", [(0.4, (0, 1)), (0.95, (1, 0)), (0.9, (0, 1))])
def test_of_two_contrary_answers_the_surer_one_stands(other, stands):
    mentions = [ExtractedMention(0, 4, "location"), ExtractedMention(6, 12, "location")]
    read = [Relation(0, 1, "located_in", 0.9), Relation(0, 1, "contains", other), Relation(0, 1, "shares", 0.5)]
    once = folded({(one.head, int(str(one.tail)), one.key): one for one in read}, mentions)
    assert {place: one.score for place, one in once.items()} == {
        (*stands, "located_in"): max(0.9, other),
        (0, 1, "shares"): 0.5,
    }


def test_what_has_no_inverse_may_hold_in_both_directions():
    mentions = [ExtractedMention(0, 4, "person"), ExtractedMention(6, 12, "person")]
    read = {(0, 1, "influenced_by"): Relation(0, 1, "influenced_by", 0.9)}
    read[1, 0, "influenced_by"] = Relation(1, 0, "influenced_by", 0.5)
    assert folded(read, mentions) == read


def test_a_mark_alone_is_no_mention():
    reading = PassageReading({(3, 4): ExtractedMention(3, 4, "group"), (0, 3): ExtractedMention(0, 3, "person")}, {})
    found = merge(Document("1", "Ann, Lee"), [reading], "en", ())
    assert [(one.start, one.end) for one in found.mentions] == [(0, 3)]


def test_sentences_of_similar_length_are_scored_together_without_a_change(checkpoint, parser, monkeypatch):
    text = "Ada Lovelace met Babbage. " + "She wrote to him about the engine and about the tables. " * 3 + "He died."
    groups: list[list[list[int]]] = []
    together = joint.by_length

    def noted(batch):
        groups.append(together(batch))
        return groups[-1]

    monkeypatch.setattr(joint, "by_length", noted)
    made = dataclasses.replace(checkpoint, manifest=dataclasses.replace(checkpoint.manifest, floor=0.0, window=160))
    apart = reader_of(made, parser).read([Document("1", text)])[0]
    assert len(groups[0]) > 1 and sorted(row for group in groups[0] for row in group) == list(range(5))
    monkeypatch.setattr(joint, "by_length", lambda batch: [list(range(len(batch.real)))])
    whole = reader_of(made, parser).read([Document("1", text)])[0]
    assert apart.mentions and [(one.start, one.end, one.type) for one in apart.mentions] == [
        (one.start, one.end, one.type) for one in whole.mentions
    ]
    assert [one.score for one in apart.relations] == pytest.approx([one.score for one in whole.relations], abs=1e-5)
