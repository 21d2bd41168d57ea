"""The loaders, on small files of our own in each set's published format (tests/fixtures/datasets)."""

import json
import shutil
from pathlib import Path

import pytest

from extraction.datasets.registry import DatasetError, LoadReport, drop_held_out, load, text_key, training_set
from extraction.schema import Example, WordRelation, WordSpan

ROOT = Path(__file__).parents[2] / "fixtures" / "datasets"


def spans(example: Example) -> list[tuple[int, int, str]]:
    return [(mention.start, mention.end, mention.type) for mention in example.mentions]


def facts(example: Example) -> set[tuple[str, str, str]]:
    def words(mention: WordSpan) -> str:
        return " ".join(example.words[mention.start : mention.end])

    return {
        (words(example.mentions[relation.head]), relation.key, words(example.mentions[relation.tail]))
        for relation in example.relations
    }


# ------------------------------------------------------------------------------------------------------- Re-DocRED


def test_redocred_keeps_what_the_sentence_is_evidence_for():
    first, second, third = load("redocred", "train", ROOT)
    assert facts(first) == {("Harbour Lights", "performer", "Fjordlinje"), ("Fjordlinje", "country", "Norwegian")}
    assert facts(second) == {("Bergen", "located_in", "Norway"), ("Bergen", "country", "Norway")}
    assert facts(third) == set() and spans(third) == [(3, 5, "number")]
    assert first.before == ("Harbour", "Lights", "(", "album", ")")
    assert first.document == "Harbour Lights (album)" and first.complete


def test_redocred_gold_is_the_nearest_pair_and_the_other_pairs_are_masked():
    _, second, _ = load("redocred", "train", ROOT)
    assert spans(second) == [
        (0, 1, "organization"),
        (3, 4, "location"),
        (5, 6, "location"),
        (8, 9, "location"),
        (10, 11, "organization"),
    ]
    assert WordRelation(1, 2, "country") in second.relations
    assert (3, 2) in second.masked_pairs and (1, 2) not in second.masked_pairs


def test_redocred_masks_facts_without_evidence_in_the_sentence():
    first, second, _ = load("redocred", "train", ROOT)
    # The band's country of origin is a fact, but no sentence is its evidence; that it is Norwegian is settled here.
    assert first.masked_pairs == frozenset()
    assert first.masked_relations == {(2, 1, "country_of_origin")}
    # Formed in Bergen: evidenced elsewhere, so every pair of the two is masked here.
    assert {(0, 1), (0, 3), (4, 1), (4, 3)} <= second.masked_pairs


def test_redocred_native_labels_are_the_properties():
    first, *_ = load("redocred", "train", ROOT, "native")
    assert {relation.key for relation in first.relations} == {"P175", "P17"}
    assert first.types == {"PER", "ORG", "LOC", "MISC", "TIME", "NUM"} and len(first.relation_keys) == 96


def test_redocred_splits_share_no_document(tmp_path):
    def documents(name: str, count: int) -> list[dict]:
        return [{"title": f"{name} {n}", "sents": [["x"]], "vertexSet": [], "labels": []} for n in range(count)]

    (tmp_path / "redocred").mkdir()
    (tmp_path / "redocred" / "dev_revised.json").write_text(json.dumps(documents("dev", 20)))
    (tmp_path / "redocred" / "test_revised.json").write_text(json.dumps(documents("test", 125)))
    splits = {split: {e.document for e in load("redocred", split, tmp_path)} for split in ("train", "dev", "test")}
    assert splits["test"] == {f"test {n}" for n in range(25, 125)}
    assert splits["dev"] == {"dev 14", "test 9", "test 24"}
    assert len(splits["train"]) == 42 and not splits["train"] & (splits["dev"] | splits["test"])


# ------------------------------------------------------------------------------------------------------------ MNRE


def test_mnre_is_grouped_by_sentence_and_turned_where_the_label_is():
    (example,) = load("jmere", "train", ROOT)
    assert facts(example) == {("Bergen", "located_in", "Norway")}
    assert spans(example) == [(3, 4, "location"), (5, 6, "location"), (8, 10, "")]
    assert not example.complete and example.image == "pier.jpg"
    # Bergen and the cup are no listed pair; Norway and the cup are listed as None, which settles both directions.
    assert example.masked_pairs == {(0, 2), (2, 0)}


def test_the_stand_in_in_its_own_labels_takes_what_is_not_listed_for_negative():
    (example,) = load("jmere", "train", ROOT, "native")
    assert facts(example) == {("Norway", "/loc/loc/contain", "Bergen")}
    assert example.complete and example.masked_pairs == frozenset()


def test_sentences_without_a_relation_are_a_set_of_their_own():
    report = LoadReport()
    (example,) = load("mnre_none", "train", ROOT, report=report)
    assert example.relations == () and [mention.type for mention in example.mentions] == ["", ""]
    assert example.masked_pairs == frozenset()  # None is an answer, not a gap
    assert report.counts["sentences with a relation, left out"] == 1


# ---------------------------------------------------------------------------------------------- CoNLL04, Twitter


def test_conll04_other_is_a_mention_of_unknown_type_in_mapped_labels():
    first, second = load("conll04", "train", ROOT)
    assert spans(first) == [(1, 3, "person"), (4, 5, "location"), (6, 7, "location"), (10, 11, "")]
    assert facts(first) == {("Ada Holm", "residence", "Bergen"), ("Bergen", "located_in", "Norway")}
    assert (0, 3) in first.masked_pairs and (0, 1) not in first.masked_pairs
    assert facts(second) == {("Lincoln", "killed_by", "Booth")}
    assert spans(second)[-1] == (4, 8, "organization")
    native, _ = load("conll04", "train", ROOT, "native")
    assert spans(native)[-1] == (10, 11, "Other") and native.types == {"Peop", "Org", "Loc", "Other"}


def test_twitter_tags_become_mentions():
    report = LoadReport()
    first, second = load("twitter2015", "train", ROOT, report=report)
    assert spans(first) == [(3, 6, "location"), (7, 8, "person"), (8, 9, "person")]
    assert spans(second) == [(1, 3, "miscellaneous")] and second.words[0] == "�"
    assert first.relation_keys == frozenset() and first.complete
    assert report.counts == {
        "mentions": 4,
        "examples": 2,
        "tags I- without a B- before, read as B-": 1,
        "words of white space only, kept as one mark": 1,
        "pictures without words, left out": 1,
    }


# ------------------------------------------------------------------------------------------------ leaks and errors


def test_training_texts_that_a_test_set_holds_are_dropped():
    report = LoadReport()
    examples = training_set(["mnre_none", "twitter2017"], ROOT, report=report)
    # "RT @harbour : Ada waves to Bertha" stands in MNRE's test with another sender,
    # "Fjord Cup at Bryggen" in 2017's dev.
    assert examples == []
    assert report.counts["examples dropped because a dev or test set holds their text"] == 2
    assert len(training_set(["conll04", "redocred"], ROOT)) == 5


def test_texts_are_compared_without_case_marks_links_and_sender():
    assert text_key(["RT", "@a", ":", "Big", "News", "!", "http://t.co/1"]) == text_key(["big", "news"])
    assert text_key(["big", "news"]) != text_key(["big", "new"])
    otherwise = ["RT", "@", "a", "_", "b", ":", "Big", "#", "News", "http://t.", "co/1Ab", "htt…"]
    assert text_key(otherwise) == text_key(["RT", "@a_b", ":", "Big", "#News", "http://t.co/1Ab"])
    assert text_key([".", "!"]) != text_key(["?"])
    kept = drop_held_out(
        [Example("1", "x", ("A", "b")), Example("2", "x", ("c",))], [Example("3", "y", ("a", "B", "."))]
    )
    assert [example.id for example in kept] == ["2"]


def broken(tmp_path: Path, name: str, file: str, old: str, new: str) -> Path:
    shutil.copytree(ROOT, tmp_path / "data")
    path = tmp_path / "data" / name / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("dataset", "folder", "file", "old", "new", "message"),
    [
        ("conll04", "conll04", "conll04_train.json", "L-Peop", "L-Loc", r"conll04_train.json, sentence 1: tag 'L-Loc'"),
        ("conll04", "conll04", "conll04_train.json", "Live_In", "Lives", r"sentence 1: unknown relation 'Lives'"),
        ("conll04", "conll04", "conll04_train.json", '"tail": 1', '"tail": 9', r"sentence 1: .* mention 9"),
        ("conll04", "conll04", "conll04_train.json", "U-Other", "U-Day", r"sentence 1: unknown entity type 'Day'"),
        ("conll04", "conll04", "conll04_train.json", "[\n", "[\n,", r"conll04_train.json, line 2: not JSON"),
        ("jmere", "mnre", "mnre_train.txt", "[8, 10]", "[8, 11]", r"mnre_train.txt, line 1: mention 8-11 lies outside"),
        ("jmere", "mnre", "mnre_train.txt", "{'token'", "{token", r"mnre_train.txt, line 1: not in MNRE's format"),
        ("jmere", "mnre", "mnre_train.txt", "'/loc/loc/contain'", "'/loc/loc/near'", r"line 1: unknown relation"),
        ("jmere", "mnre", "mnre_train.txt", "'None'", "'/misc/misc/part_of'", r"line 2: 'Norway' is misc here and loc"),
        (
            "redocred",
            "redocred",
            "dev_revised.json",
            '"pos": [0, 2]',
            '"pos": [0, 99]',
            r"document 1, sentence 0: ment",
        ),
        ("redocred", "redocred", "dev_revised.json", '"vertexSet"', '"vertices"', r"document 1: not in Re-DocRED's"),
        (
            "redocred",
            "redocred",
            "dev_revised.json",
            '"P175"',
            '"P9"',
            r"document 1, sentence 0: unknown relation 'P9'",
        ),
        ("twitter2015", "twitter2015", "train.txt", "RT\tO", "RT O", r"train.txt, line 2: expected a word, a tab"),
        ("twitter2015", "twitter2015", "train.txt", "I-LOC", "X-LOC", r"line 1: unknown tag 'X-LOC' at word 5"),
        ("twitter2015", "twitter2015", "train.txt", "IMGID:11\n", "", r"words before the first IMGID"),
    ],
)
def test_errors_name_file_and_place(tmp_path, dataset, folder, file, old, new, message):
    with pytest.raises(DatasetError, match=message):
        load(dataset, "train", broken(tmp_path, folder, file, old, new))


def test_the_error_for_a_missing_file_or_set_names_the_remedy(tmp_path):
    with pytest.raises(DatasetError, match=r"conll04_dev\.json is not there: the data set is not complete"):
        load("conll04", "dev", tmp_path)
    with pytest.raises(DatasetError, match="unknown data set 'ace'"):
        load("ace", "dev", tmp_path)
    with pytest.raises(DatasetError, match="unknown split 'all'"):
        load("conll04", "all", tmp_path)
