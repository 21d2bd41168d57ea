"""Pair systems and taggers as live readers: behind a detector of mentions, with labels turned into this product's."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from extraction.labels import inventory
from extraction.networks.outputs import PairOutput
from extraction.reader import load
from extraction.reader.checkpoint import CheckpointError, LoadedCheckpoint
from extraction.reader.decoding import DecodedMention, DecodedSentence
from extraction.reader.joint import JointDetector
from extraction.reader.label_mapping import by_types, meanings
from extraction.reader.load import reader_of
from extraction.reader.pair_classifier import PairClassifier
from extraction.reader.passages import calibrated
from extraction.reader.reader import Reader
from extraction.reader.tagger import Tagger
from extraction.schema import Document, Fact, Region
from extraction.text.parser import Parser
from tests.generated import config, eight, network, prepared
from tests.tiny import tiny_checkpoint
from training.engine.loop import Run
from training.publishing.publish import finished
from training.run import mentions_from

TEXT = "Anna Stone lives in Berlin. Nobody came. Bob Reed left Paris."


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


def pair_checkpoint(folder: Path, system: str, head: str, **changes: Any) -> LoadedCheckpoint:
    chosen = config(system, head, **changes)
    given = prepared(chosen, eight())
    run = Run(chosen, given, network(chosen, given.vocabularies))
    from training.data.parse_cache import Unparsed

    made = finished(run, "tiny", Unparsed.version, mentions_from(chosen.mentions))
    dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, floor=0.05)).save(folder)
    return LoadedCheckpoint.load(folder)


class Names(JointDetector):
    """Finds capitalised words: persons, but for two places. Sure of everything."""

    def detect(self, documents, passages, features, watch):
        manifest = self.checkpoint.manifest
        return [calibrated(manifest, one, DecodedSentence(tuple(self._spans(one.words.words)))) for one in passages]

    def _spans(self, words):
        types = self.checkpoint.manifest.inventory.types
        for place, word in enumerate(words):
            if word[0].isupper() and word != "Nobody":
                kind = "location" if word in ("Berlin", "Paris") else "person"
                yield DecodedMention(place, place + 1, types.index(kind), 9.0)


def composed(parser: Parser, folder: Path, system: str = "mtb", head: str = "pair", **manifest: Any) -> Reader:
    """A pair network behind `Names`; `manifest`: what is changed in its manifest."""
    made = pair_checkpoint(folder, system, head)
    made = dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, **manifest))
    return Reader(parser, Names(tiny_checkpoint(parser)), PairClassifier(made))


class Says(torch.nn.Module):
    """Stands where the pair network stands: one label for every pair, and what it was asked."""

    def __init__(self, net: Any, label: int) -> None:
        super().__init__()
        self.needs, self.label, self.width = net.needs, label, net.config.labels
        self.batches: list[Any] = []

    def forward(self, batch):
        self.batches.append(batch)
        logits = torch.full((len(batch.ids), self.width), -9.0)
        logits[:, self.label] = 9.0
        return PairOutput(logits)


def classifier(reader: Reader) -> PairClassifier:
    assert isinstance(reader.relations, PairClassifier)
    return reader.relations


def answering(reader: Reader, key: str) -> Says:
    pairs = classifier(reader)
    pairs.network = Says(pairs.network, 1 + pairs.manifest.inventory.relation_keys.index(key))
    return pairs.network


def test_labels_are_turned_into_the_products_with_their_direction():
    names = inventory(("mnre",), "native")
    found = dict(zip(names.relation_keys, meanings(names, ("mnre",)), strict=True))
    contain = found["/loc/loc/contain"]
    assert contain is not None and (contain.key, contain.turned) == ("located_in", True)
    born = found["/per/loc/place_of_birth"]
    assert born is not None and "person" in born.heads - born.tails and "location" in born.tails - born.heads
    permitted = by_types(list(found.values()))
    assert (names.relation_keys.index("/per/loc/place_of_birth"), born) in permitted["person", "location"]
    assert born not in [one for _, one in permitted.get(("location", "person"), ())]
    own = inventory(("mnre",), "mapped")
    assert all(one is not None and one.key in own.relation_keys for one in meanings(own, ("mnre",)))


def test_a_pair_system_reads_the_pairs_that_some_relation_may_join(parser, tmp_path):
    reader = composed(parser, tmp_path)
    network_calls = answering(reader, "/per/loc/place_of_birth")
    (read,) = reader.read([Document("1", TEXT)])
    found = {(TEXT[read.mentions[r.head].start : read.mentions[r.head].end], r.key) for r in read.relations}
    assert found == {("Anna", "place_of_birth"), ("Stone", "place_of_birth"), ("Bob", "place_of_birth"),
                     ("Reed", "place_of_birth")}  # fmt: skip
    assert all(r.score > 0.9 for r in read.relations)
    # of three mentions in a sentence no relation joins a place to a person: 6 ordered pairs less 2, twice
    assert sum(len(batch.ids) for batch in network_calls.batches) == 8
    for batch in network_calls.batches:
        starts = batch.ids.gather(1, torch.stack([batch.pairs.head, batch.pairs.tail], 1))
        assert (starts == torch.tensor([classifier(reader).rows.markers[0], classifier(reader).rows.markers[2]])).all()


def test_a_turned_label_turns_its_ends(parser, tmp_path):
    reader = composed(parser, tmp_path)
    answering(reader, "/loc/loc/contain")
    text = "Berlin Paris"
    (read,) = reader.read([Document("1", text)])
    starts = [one.start for one in read.mentions]
    ends = {(starts[one.head], starts[one.tail], one.key) for one in read.relations if isinstance(one.tail, int)}
    # it predicts both orders, and only one can hold
    assert ends == {(0, 7, "located_in")}
    classifier(reader).network.label = 0
    assert reader.read([Document("1", text)])[0].relations == ()


def test_regions_of_each_picture_are_classified_with_their_picture(parser, tmp_path):
    reader = composed(parser, tmp_path, "relformer", "region_pair")
    keys = reader.checkpoint.manifest.inventory.relation_keys
    network_calls = answering(reader, keys[0])
    dog, cat = (Region((0.1, 0.1, 0.2, 0.2), label) for label in ("dog", "cat"))
    other = Region((0.5, 0.1, 0.2, 0.2), "dog", image=1)
    (read,) = reader.read([Document("1", "Anna left.", regions=(dog, cat, other))])
    assert [(one.head, one.tail) for one in read.relations] == [(0, dog), (0, cat), (0, other)]
    assert (read.takes, read.used_images) == ("each", (0, 1))
    (batch,) = network_calls.batches
    assert batch.pairs.region.tolist() == [0, 1, 0]
    assert batch.objects is not None and batch.objects.present.sum(1).tolist() == [2, 2, 1]
    assert batch.objects.boxes[2, 0].tolist() == pytest.approx([0.6, 0.2, 0.2, 0.2])
    assert reader.read([Document("1", "Anna left.")])[0].relations == ()


def test_thresholds_have_the_products_keys(parser, tmp_path):
    own = {"default": 0.5, "/per/loc/place_of_birth": 0.8, "/loc/loc/contain": 0.3}
    reader = composed(parser, tmp_path, thresholds=own)
    assert reader.threshold("place_of_birth") == 0.8 and reader.threshold("located_in") == 0.3
    assert reader.threshold("sibling") == 0.5


@pytest.mark.parametrize("system", ["mtb", "mega", "focalmre", "rsrnet", "relformer"])
def test_every_pair_system_is_loaded_as_a_reader(parser, tmp_path, system):
    detector = tmp_path / "mentions"
    tiny_checkpoint(parser).save(detector)
    pair_checkpoint(tmp_path / system, system, "pair", mentions=str(detector))
    reader = load.reader(tmp_path / system, parser=parser)
    assert isinstance(reader.relations, PairClassifier)
    assert reader.mentions.checkpoint.digest == LoadedCheckpoint.load(detector).digest
    (read,) = reader.read([Document("1", TEXT)])
    assert read.declined is None
    again = reader.read([Document("2", TEXT), Document("1", TEXT)])[1]
    assert again.mentions == read.mentions
    assert np.allclose([one.score for one in again.relations], [one.score for one in read.relations], atol=1e-4)


def test_a_detector_that_was_changed_is_refused(parser, tmp_path):
    detector = tmp_path / "mentions"
    tiny_checkpoint(parser).save(detector)
    checkpoint = pair_checkpoint(tmp_path / "mtb", "mtb", "pair", mentions=str(detector))
    tiny_checkpoint(parser, seed=1).save(detector)
    with pytest.raises(CheckpointError, match="is not the one"):
        reader_of(checkpoint, parser)
    with pytest.raises(CheckpointError, match="finds no mentions"):
        pair_checkpoint(tmp_path / "other", "mtb", "pair", mentions=str(tmp_path / "mtb"))


def test_a_tagger_reads_mentions_in_the_products_types(parser, tmp_path):
    checkpoint = pair_checkpoint(tmp_path, "rsrnet", "tags")
    with torch.no_grad():
        checkpoint.network.emit.bias.zero_()
        checkpoint.network.emit.bias[1 + 2 * checkpoint.manifest.inventory.types.index("org")] = 9.0
    reader = reader_of(checkpoint, parser)
    assert isinstance(reader.mentions, Tagger) and reader.relations is None
    (read,) = reader.read([Document("1", "Anna left.")])
    assert {one.type for one in read.mentions} == {"organization"} and read.relations == ()


def test_a_tagger_is_shown_the_leading_picture_alone_or_in_front_of_a_pair_system(parser, tmp_path):
    made = pair_checkpoint(tmp_path / "tags", "rsrnet", "tags")
    canvases = dataclasses.replace(made.manifest.given, shown="canvas", most=0)
    made = dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, inputs=canvases))
    tagger = reader_of(made, parser)
    asked = watched(tagger)
    box = Region((0.1, 0.1, 0.4, 0.4), "dog")
    shown = Document("1", "Anna left.", images=("", ""), regions=(box, dataclasses.replace(box, image=1)))
    bare = Document("2", "Bob Reed left Paris.")
    seen, blind = tagger.read([shown, bare])
    assert (seen.takes, seen.used_images, blind.used_images) == ("leading", (0,), ())
    (batch,) = asked
    # The whole canvas and its one box; nothing of the second picture, and nothing of another post's.
    assert batch.pictures is not None and batch.pictures.present.sum(1).tolist() == [2, 0]
    assert tagger.read([Document("1", "Anna left.", images=("x.jpg",))])[0].missing == ("detector", "canvas")
    behind = Reader(parser, tagger.mentions, PairClassifier(pair_checkpoint(tmp_path / "mtb", "mtb", "pair")))
    behind.read([bare, shown])
    assert asked[-1].pictures is not None and asked[-1].pictures.present.any(1).sum() == 1


def watched(reader: Reader) -> list[Any]:
    """The batches that its network gets from now on."""
    asked: list[Any] = []
    network = reader.checkpoint.network
    forward = network.forward

    def answer_all(batch: Any) -> Any:
        asked.append(batch)
        return forward(batch)

    network.forward = answer_all
    return asked


def test_a_network_that_takes_facts_is_shown_those_of_the_document_and_echoes_are_marked(parser, tmp_path):
    reader = composed(parser, tmp_path, "relformer", "pair")
    assert reader.takes_facts
    network_calls = answering(reader, "/per/loc/place_of_birth")
    facts = (
        Fact("Anna", "place of birth", "Berlin", "Wikidata", "place_of_birth"),
        Fact("Bob", "is", "a poet", "Wikidata"),
    )
    (read,) = reader.read([Document("1", TEXT, facts=facts)])
    assert read.facts == facts and "facts" not in read.missing
    echoed = {TEXT[read.mentions[one.head].start : read.mentions[one.head].end] for one in read.relations
              if any(part.kind == "fact" for part in one.evidence)}  # fmt: skip
    assert echoed == {"Anna"}
    shown = [batch.facts for batch in network_calls.batches]
    assert all(one is not None and one.present.any() for one in shown) and any(one.mention.any() for one in shown)
    (bare,) = reader.read([Document("1", TEXT)])
    assert bare.missing == ("facts",) and bare.facts == () and network_calls.batches[-1].facts is None
    (known,) = reader.read([Document("1", TEXT, facts=())])
    assert known.missing == ()


def test_a_network_without_knowledge_is_shown_no_facts(parser, tmp_path):
    reader = composed(parser, tmp_path)
    assert not reader.takes_facts
    (read,) = reader.read([Document("1", TEXT, facts=(Fact("Anna", "is", "known", "Wikidata"),))])
    assert read.facts == () and read.missing == ()
