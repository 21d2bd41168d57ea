"""The loaders of sets with regions, and CrossRE, on small files of our own in each set's published format."""

import dataclasses
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from extraction.datasets.registry import DatasetError, LoadReport, inventory, load
from extraction.features.batch import Needs
from extraction.features.targets import PairTargets
from extraction.schema import Candidate, Example
from training.heads import head_of

ROOT = Path(__file__).parents[2] / "fixtures" / "datasets"


@pytest.fixture
def root(tmp_path) -> Path:
    """The fixtures, with GMNER's boxes in a zip file as published."""
    for name in ("gmner", "more", "crossre"):
        shutil.copytree(ROOT / name, tmp_path / name)
    zipped(tmp_path)
    return tmp_path


def zipped(root: Path) -> None:
    with zipfile.ZipFile(root / "gmner" / "xml.zip", "w") as archive:
        for path in sorted((root / "gmner" / "xml").iterdir()):
            archive.write(path, f"xml/{path.name}")


def pairs(example: Example) -> set[tuple[str, tuple[float, ...], str]]:
    def words(index: int) -> str:
        mention = example.mentions[index]
        return " ".join(example.words[mention.start : mention.end])

    assert all(one.region for one in example.candidates)
    return {
        (words(one.head), tuple(round(x, 3) for x in example.regions[one.tail].box), one.key)
        for one in example.candidates
    }


LEFT, RIGHT = (0.25, 0.25, 0.25, 0.75), (0.5, 0.25, 0.25, 0.75)


def test_gmner_pairs_every_mention_with_every_region(root):
    report = LoadReport()
    first, second = load("gmner", "train", root, report=report)
    assert pairs(first) == {
        ("Ada Holm", LEFT, "depicts"),
        ("Ada Holm", RIGHT, "depicts"),
        ("Bertha", LEFT, ""),
        ("Bertha", RIGHT, "depicts"),
        ("Bergen", LEFT, ""),
        ("Bergen", RIGHT, ""),
    }
    assert first.image == "21.jpg" and [one.type for one in first.mentions] == ["person", "person", "location"]
    assert second.regions == () and second.candidates == () and len(second.mentions) == 1
    assert report.counts["pairs of a mention and a region that shows it"] == 3


def test_gmners_regions_give_nothing_away_by_order_or_name(root):
    first, _ = load("gmner", "train", root, "native")
    assert [region.label for region in first.regions] == ["", ""]
    assert [region.box[0] for region in first.regions] == [0.25, 0.5]  # in the file Bertha's stands first
    assert [one.type for one in first.mentions] == ["PER", "PER", "LOC"]
    assert inventory(["gmner"], root, "native").relation_keys == ("depicts",)


def test_gmner_without_its_boxes_has_mentions_alone(root):
    (root / "gmner" / "xml.zip").unlink()
    report = LoadReport()
    first, _ = load("gmner", "train", root, report=report)
    assert len(first.mentions) == 3 and first.candidates == ()
    assert report.counts["files of boxes that are missing: mentions only"] == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<name>Bertha", "<name>Berta", "train.txt, line 1: its picture's boxes name 'Berta'"),
        ("<xmax>300", "<xmax>401", "xml/21.xml: not in GMNER's format .a box of 'Bertha' does not lie in its picture"),
        ("<width>400", "<width>wide", "xml/21.xml: not in GMNER's format"),
        ("</annotation>", "", "xml/21.xml: not in GMNER's format"),
        ("<annotation>", '<!DOCTYPE a [<!ENTITY x "y">]><annotation>', "xml/21.xml: not in .* a document type"),
    ],
)
def test_broken_boxes_name_their_file(root, old, new, message):
    path = root / "gmner" / "xml" / "21.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    zipped(root)
    with pytest.raises(DatasetError, match=message):
        load("gmner", "train", root)


def test_a_zip_file_that_is_none_is_named(root):
    (root / "gmner" / "xml.zip").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"xml.zip: cannot be read as a zip file"):
        load("gmner", "train", root)


def test_more_groups_the_samples_of_a_headline(root):
    report = LoadReport()
    first, second = load("more", "train", root, "native", report)
    assert pairs(first) == {
        ("Ada Holm", (0.4, 0.3, 0.2, 0.4), "pictured"),
        ("Ada Holm", (0.0, 0.5, 0.5, 0.5), "works at"),
        ("Bergen", (0.0, 0.5, 0.5, 0.5), ""),
    }
    assert first.image == "pier.jpg" and not first.complete and {one.type for one in first.mentions} == {"entity"}
    assert second.candidates == (Candidate(0, 0, "pictured", region=True),)
    assert report.counts["samples"] == 4 and report.counts["objects"] == 3
    assert inventory(["more"], root, "native").relation_keys == ("works at", "pictured")


def test_mores_objects_are_those_of_its_own_file(root):
    objects = {
        "pier.jpg": {
            "tree": (0.1, 0.1, 0.1, 0.1),
            "object_0": (0.25, 0.75, 0.5, 0.5),
            "object_1": (0.5, 0.5, 0.2, 0.4),
        },
        "boat.jpg": {"object_0": (0.5, 0.5, 1.0, 1.0)},
    }
    torch.save(objects, root / "more" / "ent_train_dict.pth")
    first, _ = load("more", "train", root)
    assert len(first.regions) == 3 and first.candidates[0].tail == 2
    del objects["pier.jpg"]["object_1"]
    torch.save(objects, root / "more" / "ent_train_dict.pth")
    with pytest.raises(DatasetError, match=r"train.txt, line 1: the picture pier.jpg has no object 'object_1'"):
        load("more", "train", root)


def test_code_in_mores_objects_is_not_run(root):
    torch.save({"pier.jpg": Path("x")}, root / "more" / "ent_train_dict.pth")
    with pytest.raises(DatasetError, match=r"ent_train_dict.pth: not a file of MORE's objects as plain values"):
        load("more", "train", root)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'pictured'}", "'eats'}", r"train.txt, line 1: the relation 'eats' is not in rel2id.json"),
        ("[0, 2]", "[0, 9]", r"train.txt, line 1: mention 0-9 lies outside"),
        ("[0.5, 0.5, 0.2, 0.4]", "[50, 50, 20, 40]", r"line 1: not in MORE's format .*not normalised"),
        ("'box'", "'region'", r"line 1: not in MORE's format"),
        ("{'token'", "{token", r"line 1: not in MORE's format"),
    ],
)
def test_a_broken_line_of_more_is_named(root, old, new, message):
    path = root / "more" / "txt" / "train.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        load("more", "train", root)


def test_more_without_its_relations_is_an_error(root):
    (root / "more" / "rel2id.json").write_text('["pictured"]')
    with pytest.raises(DatasetError, match=r"rel2id.json: expected an object of relations"):
        inventory(["more"], root)
    (root / "more" / "rel2id.json").unlink()
    with pytest.raises(DatasetError, match=r"rel2id.json is not there"):
        load("more", "train", root)


def test_mores_depth_is_how_near_an_object_is(root):
    distances = np.full((40, 60), 9.0, np.float32)
    distances[20:, :30] = 1.0  # where object_0 lies
    (root / "more" / "img_dep").mkdir()
    np.savez(root / "more" / "img_dep" / "pier.npz", depth_map=distances)
    first, second = load("more", "train", root)
    by_box = {round(region.box[0], 2): region.depth for region in first.regions}
    assert by_box[0.0] > 0.9 and by_box[0.4] < 0.4 and second.regions[0].depth == 0


@pytest.mark.parametrize("content", [np.zeros(3), np.array([[np.nan]]), np.array([[{}]], dtype=object)])
def test_a_file_without_distances_is_named(root, content):
    (root / "more" / "img_dep").mkdir()
    np.savez(root / "more" / "img_dep" / "pier.npz", depth_map=content)
    with pytest.raises(DatasetError, match=r"pier.npz: not a map of distances"):
        load("more", "train", root)


def test_crossre_in_its_own_labels_and_in_ours(root):
    report = LoadReport()
    (native,) = load("crossre_politics", "train", root, "native", report)
    assert [(one.start, one.end, one.type) for one in native.mentions] == [
        (1, 3, "politicalparty"),
        (4, 5, "country"),
        (6, 8, "politician"),
    ]
    assert {(one.head, one.tail, one.key) for one in native.relations} == {
        (0, 2, "win-defeat"),
        (0, 2, "opposite"),
        (0, 1, "physical"),
    }
    assert len(native.relation_keys) == 17
    assert report.counts["relations of a mention to itself, left out"] == 1
    (mapped,) = load("crossre_politics", "train", root)
    assert [one.type for one in mapped.mentions] == ["organization", "location", "person"]
    assert mapped.relations == () and mapped.relation_keys == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"win-defeat"', '"beats"', r"politics-train.json, line 1: unknown relation 'beats'"),
        ('"country"', '"land"', r"line 1: unknown entity type 'land'"),
        ("[4, 4,", "[4, 9,", r"line 1: mention 4-10 lies outside"),
        ("[[1, 2, 6, 7,", "[[1, 2, 6, 6,", r"line 1: an end of 'win-defeat' is no mention"),
        ('"ner"', '"entities"', r"line 1: not in CrossRE's format"),
        ('{"doc_key"', "{doc_key", r"line 1: not JSON"),
    ],
)
def test_a_broken_line_of_crossre_is_named(root, old, new, message):
    path = root / "crossre" / "politics-train.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        load("crossre_politics", "train", root, "native")


@pytest.mark.parametrize(
    ("name", "relations", "labels"), [("more", ("works at", "pictured"), [2, 0, 1, 2]), ("gmner", ("depicts",), None)]
)
def test_a_run_learns_the_relations_that_the_data_set_has(root, name, relations, labels):
    from tests import tiny
    from training.config import TrainConfig
    from training.data.parse_cache import Unparsed
    from training.data.preparation import make_batch, prepare

    config = TrainConfig(system="relformer", data=(name,), labels="native", title=False)
    prepared = prepare(config, head_of(config.system), root, Unparsed(), lambda name: tiny.tokenizer())
    assert prepared.head.name == "region_pair" and prepared.inventory.relation_keys == relations
    needs = Needs(objects=10, pictures="whole", size=32)
    batch, wanted = make_batch(
        config, prepared, prepared.rows(needs), range(len(prepared.items)), 1, np.random.default_rng(0)
    )
    assert isinstance(wanted, PairTargets) and wanted.tags is not None and batch.pairs is not None
    depicting = [int(item.candidate.key == "depicts") for item in prepared.items if item.candidate]
    assert wanted.labels.tolist() == (labels or depicting) and wanted.labels.any()
    assert (batch.pairs.region >= 0).all() and batch.pictures is not None and batch.pictures.present.all()
    marked = [(example.mentions[0].start, example.mentions[0].type) for example in prepared.examples]
    first = wanted.tags.tags[0].tolist()
    assert first[marked[0][0]] == 1 + 2 * prepared.inventory.types.index(marked[0][1])


def test_an_example_is_shown_what_is_known_of_its_mentions(root):
    plain = load("gmner", "train", root)
    assert not any(example.facts for example in plain)
    name, place = next(
        (" ".join(one.words[span.start : span.end]), at) for at, one in enumerate(plain) for span in one.mentions
    )
    fact = {"subject": f" {name.upper()}", "property": "known for", "object": "tests", "source": "Q1"}
    other = {**fact, "subject": "Nobody at all"}
    path = root / "gmner" / "facts.jsonl"
    path.write_text("\n".join(map(json.dumps, (fact, other))) + "\n")
    report = LoadReport()
    known = load("gmner", "train", root, report=report)
    assert [one.property for one in known[place].facts] == ["known for"]
    assert report.counts["facts shown"] == sum(len(example.facts) for example in known) > 0
    assert [dataclasses.replace(one, facts=()) for one in known] == plain
    for line, message in (
        ('{"subject": "A"}', "not a fact"),
        ("[1]", "not a fact"),
        (json.dumps({**fact, "object": 3}), "are words"),
    ):
        path.write_text(json.dumps(fact) + "\n" + line)
        with pytest.raises(DatasetError, match=rf"facts\.jsonl, line 2: .*{message}"):
            load("gmner", "train", root)
