"""The local index, a dump's entities, and which entity a name means."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from knowledge.linking.candidate_ranking import Question
from knowledge.linking.linker import Linker
from knowledge.linking.text_similarity import ContextEncoder
from knowledge.sources import index_builder, wikidata_json
from knowledge.sources.local_index import LocalIndex
from knowledge.sources.protocol import Known, KnownFact, SourceUnavailable

MERKEL = Known(
    "Q94746073", "Angela Merkel", "chancellor of Germany", ("Angela Merkel", "Angela Dorothea Kasner"), ("person",), 200
)
SMITHS = [
    Known("Q1", "John Smith", "English explorer of Virginia", ("John Smith", "Capt. Smith"), ("person",), 50),
    Known("Q2", "John Smith", "leader of the Labour Party in parliament", ("John Smith",), ("person",), 90),
    Known("Q3", "Smith", "town in Nevada", ("Smith",), ("location",), 3),
]


@pytest.fixture
def index(tmp_path: Path) -> LocalIndex:
    index_builder.build(tmp_path / "index.sqlite3", "these", [MERKEL, *SMITHS])
    return LocalIndex(tmp_path / "index.sqlite3")


@pytest.fixture(scope="module")
def encoder() -> ContextEncoder:
    return ContextEncoder(np.ones(30522, np.float32))


def test_a_name_finds_those_called_exactly_so_first_and_the_best_known_of_each_group_first(index: LocalIndex) -> None:
    assert index.search("smith", 10) == ["Q3", "Q2", "Q1"]
    assert index.search("JOHN  Smith", 10) == ["Q2", "Q1"]
    assert index.search("Smith", 2) == ["Q3", "Q2"]
    assert index.search("Capt Smith", 10) == ["Q1"]
    assert index.search("Smyth", 10) == index.search("?!", 10) == []


def test_in_an_index_of_few_a_part_of_a_name_finds_nobody(tmp_path: Path) -> None:
    index_builder.build(tmp_path / "few.sqlite3", "few", [MERKEL], whole=False)
    few = LocalIndex(tmp_path / "few.sqlite3")
    assert (few.search("Merkel", 5), few.search("angela merkel", 5)) == ([], [MERKEL.id])


@pytest.mark.parametrize("name", ['"', "'; DROP TABLE name", "smith OR john", "NEAR(smith", "*", "a" * 100_000, "\x00"])
def test_no_name_is_read_as_a_query(index: LocalIndex, name: str) -> None:
    assert index.search(name, 10) == []
    assert index.search("Smith", 1) == ["Q3"]


def test_what_is_known_comes_back_whole(index: LocalIndex) -> None:
    assert index.describe(["Q94746073", "Q77", "nonsense"]) == {"Q94746073": MERKEL}
    assert index.size() == 4


def test_a_missing_or_foreign_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="build_index"):
        LocalIndex(tmp_path / "none")
    (tmp_path / "other").write_bytes(b"not a database" * 100)
    with pytest.raises(SourceUnavailable, match="not an index"):
        LocalIndex(tmp_path / "other")


def test_the_words_around_a_name_decide_between_its_bearers(index: LocalIndex) -> None:
    linker = Linker.shipped([index])
    for context, wanted in [
        ("John Smith, the Labour leader, spoke in parliament.", "Q2"),
        ("John Smith explored the rivers of Virginia for the English.", "Q1"),
    ]:
        [found] = linker.link([Question("John Smith", "person", context)])
        assert found.candidates[0].known.id == wanted
        assert len(found.candidates) == 2, "every candidate is kept"


def test_a_candidate_of_another_type_is_not_preferred(index: LocalIndex) -> None:
    [found] = Linker.shipped([index]).link([Question("Smith", "person", "Smith laughed.")])
    assert found.candidates[0].known.id != "Q3"


def test_a_part_of_a_longer_name_means_what_the_longer_one_means(index: LocalIndex) -> None:
    text = "Angela Merkel met John Smith. Merkel smiled."
    names = [Question(name, "person", text) for name in ("Angela Merkel", "John Smith", "Merkel")]
    whole, _, part = Linker.shipped([index]).link(names)
    assert (part.chosen, part.through) == (whole.chosen, "Angela Merkel")
    assert whole.chosen == "Q94746073"


def test_a_part_of_two_longer_names_is_linked_by_itself(index: LocalIndex) -> None:
    names = [Question(name, "person", "text") for name in ("Ann Smith", "Bob Smith", "Smith")]
    assert [one.through for one in Linker.shipped([index]).link(names)] == ["", "", ""]


def test_an_unknown_name_has_no_match(index: LocalIndex) -> None:
    [found] = Linker.shipped([index]).link([Question("Zaphod", "person", "Zaphod laughed.")])
    assert (found.chosen, found.candidates) == ("", ())


def test_likeness_leaves_the_name_itself_out(encoder: ContextEncoder) -> None:
    name = set(encoder.pieces("Virginia"))
    with_name = encoder.vector("Virginia rivers") @ encoder.vector("Virginia maps")
    without = encoder.vector("Virginia rivers", name) @ encoder.vector("Virginia maps", name)
    assert without < with_name
    assert not encoder.vector("Virginia", name).any()


def entity(number: int, **more: object) -> dict[str, object]:
    return {"id": f"Q{number}", "labels": {"en": {"value": f"Name {number}"}}, **more}


def test_a_dump_is_read_line_by_line_whatever_it_holds(tmp_path: Path) -> None:
    claims = {
        "P31": [{"mainsnak": {"datavalue": {"value": {"id": "Q5"}}}}],
        "P569": [{"mainsnak": {"datavalue": {"value": {"time": "+1954-07-17T00:00:00Z"}}}}],
        "P27": [{"rank": "deprecated", "mainsnak": {"datavalue": {"value": {"id": "Q1"}}}}, "nonsense"],
        "P18": [{"mainsnak": {"datavalue": {"value": "a picture"}}}],
    }
    links = {"enwiki": {"title": "Name 7"}, "dewiki": {}}
    full = entity(7, aliases={"en": [{"value": "Seven"}, 3]}, claims=claims, sitelinks=links)
    lines = ["[", json.dumps(full) + ",", "{broken", '"text"', json.dumps({"id": "P31"}), json.dumps(entity(8)), "]"]
    path = tmp_path / "dump.json.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    found = [one for _, one in wikidata_json.dump(path) if one]
    assert [one.id for one in found] == ["Q7", "Q8"]
    assert found[0] == Known(
        "Q7", "Name 7", "", ("Name 7", "Seven"), ("person",), 2,
        {"enwiki": "Name 7", "dbpedia": "http://dbpedia.org/resource/Name_7"},
        (KnownFact("P31", "Q5"), KnownFact("P569", "1954-07-17T00:00:00Z")),
    )  # fmt: skip


def test_a_build_that_dies_resumes_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_builder, "BATCH", 2)
    path = tmp_path / "index.sqlite3"
    index_builder.build(path, "the old one", [MERKEL])

    def lines(start: int, until: int) -> list[tuple[int, Known | None]]:
        return [(number, Known(f"Q{number}", f"Name {number}")) for number in range(start + 1, until + 1)]

    first = index_builder.Builder(path, "dump")

    def dies() -> object:
        yield from lines(0, 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.take(dies(), lambda line: None)  # type: ignore[arg-type]
    assert LocalIndex(path).size() == 1, "the index in use stays"
    with pytest.raises(index_builder.OtherSource, match="dump"):
        index_builder.Builder(path, "another")
    second = index_builder.Builder(path, "dump")
    assert second.lines == 4
    second.take(lines(second.lines, 7), lambda line: None)
    assert second.finish() == 7
    assert LocalIndex(path).search("Name 6", 5) == ["Q6"]


def test_a_person_is_nothing_else(index: LocalIndex) -> None:
    [found] = Linker.shipped([index]).link([Question("Smith", "location", "The train stopped in Smith.")])
    assert {one.known.id for one in found.candidates} == {"Q3"}
