"""InputRows for pair systems: entity markers, objects, pictures, facts; MNRE's samples and boxes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from extraction.datasets.registry import DatasetError, load
from extraction.features import fact_graph
from extraction.features.batch import SELF_LOOP, Needs
from extraction.features.cooccurrence import PmiTable
from extraction.features.entity_markers import add_markers, mark
from extraction.features.featurizer import Featurizer
from extraction.features.model_inputs import InputRows
from extraction.schema import Candidate, Example, Fact, Region, Words, WordSpan
from tests.tiny import tokenizer

ROOT = Path(__file__).parents[2] / "fixtures" / "datasets"
TOKENS = tokenizer()
MARKED = add_markers(TOKENS)
FEATURIZER = Featurizer(TOKENS, (), (), PmiTable.empty())


def sentence(*words: str):
    return FEATURIZER.make([Words(tuple((0, 0) for _ in words), words)])[0]


def example(words: str, spans: list[tuple[int, int]], **parts) -> Example:
    mentions = tuple(WordSpan(*span, "person") for span in spans)
    return Example("1", "mnre", tuple(words.split()), mentions, **parts)


def shown(ids: np.ndarray) -> str:
    return " ".join(str(TOKENS.id_to_token(int(one))) for one in ids)


def test_markers_stand_around_head_and_tail_and_words_keep_their_first_piece():
    plain = sentence("ab", "c", "de")
    marked, place = mark(plain, (2, 3), (0, 2), MARKED)
    assert shown(marked.ids) == "[CLS] [E2] a ##b c [/E2] [E1] d ##e [/E1] [SEP]"
    assert marked.ids[marked.first].tolist() == plain.ids[plain.first].tolist()
    assert marked.ids[[place.head, place.tail]].tolist() == [MARKED[0], MARKED[2]]
    assert (place.head_word, place.tail_word) == (2, 0)
    assert len(marked.shapes) == len(marked.ids)


@pytest.mark.parametrize("head,tail", [((0, 2), (1, 2)), ((1, 2), (1, 2)), ((0, 1), (0, 3))])
def test_overlapping_mentions_are_both_marked(head, tail):
    marked, place = mark(sentence("a", "b", "c"), head, tail, MARKED)
    assert sorted(marked.ids[np.isin(marked.ids, MARKED)].tolist()) == sorted(MARKED)
    assert marked.ids[[place.head, place.tail]].tolist() == [MARKED[0], MARKED[2]]
    for start, end in ((MARKED[0], MARKED[1]), (MARKED[2], MARKED[3])):
        assert marked.ids.tolist().index(start) < marked.ids.tolist().index(end)


def test_the_same_markers_are_added_once():
    before = TOKENS.get_vocab_size()
    assert add_markers(TOKENS) == MARKED and TOKENS.get_vocab_size() == before


def test_objects_carry_geometry_and_spatial_edges():
    regions = (Region((0.0, 0.0, 0.2, 0.2)), Region((0.7, 0.0, 0.2, 0.2), "dog"))
    rows = InputRows(Needs(markers=True, objects=10), TOKENS, MARKED, classes=("cat", "dog"))
    both = example("a b", [(0, 1), (1, 2)], candidates=(Candidate(0, 1),), regions=regions)
    none = dataclasses.replace(both, regions=())
    batch = rows.batch([rows.pair(one, sentence("a", "b"), Candidate(0, 1)) for one in (both, none)])
    assert batch.objects is not None
    assert batch.objects.vectors[0, 1].tolist() == pytest.approx([0.8, 0.1, 0.2, 0.2, 0.04])
    assert batch.objects.edges[0].diagonal().tolist() == [SELF_LOOP] * 2
    assert batch.objects.edges[0, 0, 1] != batch.objects.edges[0, 1, 0] and batch.objects.edges[0, 0, 1] > SELF_LOOP
    assert batch.objects.classes[0].tolist() == [0, 2]
    assert not batch.objects.present[1].any() and not batch.objects.edges[1].any()
    assert rows.batch([rows.pair(none, sentence("a", "b"), Candidate(0, 1))]).objects is None


def test_a_region_beyond_the_networks_objects_is_still_seen():
    regions = tuple(Region((0.1 * place, 0.0, 0.1, 0.1)) for place in range(5))
    rows = InputRows(Needs(objects=2), TOKENS)
    made = example("a", [(0, 1)], regions=regions)
    row = rows.pair(made, sentence("a"), Candidate(0, 4, region=True))
    batch = rows.batch([row])
    assert batch.objects is not None and batch.pairs is not None
    place = int(batch.pairs.region[0])
    assert batch.objects.boxes[0, place, 0] == pytest.approx(0.45)


def test_pictures_are_drawn_from_boxes_where_there_are_no_pixels():
    regions = (Region((0.1, 0.1, 0.3, 0.3)), Region((0.5, 0.5, 0.3, 0.3), grounded=True))
    rows = InputRows(Needs(pictures="focal", size=32), TOKENS)
    with_boxes = rows.sentence(example("a", [], regions=regions), sentence("a"))
    without = rows.sentence(example("a", [], image="gone.jpg"), sentence("a"))
    batch = rows.batch([with_boxes, without])
    assert batch.pictures is not None and batch.pictures.pixels.shape == (2, 8, 3, 32, 32)
    assert batch.pictures.present.nonzero().tolist() == [[0, 0], [0, 1], [0, 5]]
    assert not batch.pictures.pixels[1].any()
    assert rows.batch([without]).pictures is None


def test_facts_are_a_graph_that_knows_its_mention():
    facts = (Fact("Ada Love", "born in", "Paris", "local"), Fact("Bo", "born in", "Paris", "local"))
    rows = InputRows(Needs(facts=True), TOKENS)
    made = example("ada love and bo", [(0, 2), (3, 4)], facts=facts)
    features = sentence("ada", "love", "and", "bo")
    batch = rows.batch([rows.pair(made, features, Candidate(0, 1)), rows.sentence(example("a", []), sentence("a"))])
    assert batch.facts is not None
    # Ada Love, Paris, born in; Bo, born in
    assert batch.facts.present.tolist() == [[True] * 5, [False] * 5]
    assert batch.facts.mention[0].tolist() == [True, True, True, False, False]
    joined = {(0, 1), (0, 2), (1, 2), (3, 1), (3, 4), (1, 4)}
    assert {tuple(sorted(pair)) for pair in batch.facts.edges[0].nonzero().tolist()} == {
        *(tuple(sorted(pair)) for pair in joined),
        *((node, node) for node in range(5)),
    }


def test_facts_of_before_are_stars_of_properties():
    facts = (Fact("Ada Love", "born in", "Paris", "local"), Fact("Bo", "born in", "Paris", "local"))
    row = fact_graph.stars(facts, "ada love", TOKENS)
    assert row is not None and row.mention.tolist() == [True, True, False]
    assert row.edges.tolist() == [[True, True, False], [True, True, True], [False, True, True]]


def test_a_fact_joins_two_entities_of_the_text():
    """The paper's own example: there is a path between Beijing and Tiananmen, by way of what relates them."""
    facts = (
        Fact("Beijing", "contains", "Tiananmen", "local"),
        Fact("Tiananmen", "located in", "Beijing", "local"),
        Fact("Mao", "is", "a politician", "local"),
    )
    row = fact_graph.joined(facts, "Beijing", TOKENS)
    assert row is not None
    shown_nodes = [" ".join(str(TOKENS.id_to_token(one)) for one in ids).replace(" ##", "") for ids in row.ids]
    assert shown_nodes.count("beijing") == shown_nodes.count("tiananmen") == 1
    beijing, tiananmen, mao = (shown_nodes.index(name) for name in ("beijing", "tiananmen", "mao"))
    assert row.edges[beijing, tiananmen]
    assert row.edges[beijing, shown_nodes.index("contains")] and row.edges[tiananmen, shown_nodes.index("contains")]
    assert not row.edges[beijing, mao] and row.mention[[beijing, tiananmen]].all() and not row.mention[mao]


def test_a_mention_finds_the_facts_that_were_looked_up_by_its_name():
    facts = (Fact("France", "contains", "Paris", "local"), Fact("United States", "is", "a state", "local", name="U.S."))
    row = fact_graph.joined(facts, "U.S.", TOKENS)
    assert row is not None and row.mention.tolist() == [True, True, True, False, False, False]
    assert not fact_graph.joined(facts[:1], "U.S.", TOKENS).mention.any()  # type: ignore[union-attr]


def test_objects_of_two_pictures_stand_in_no_relation():
    boxes = ((0.1, 0.1, 0.2, 0.2), (0.4, 0.1, 0.2, 0.2), (0.7, 0.1, 0.2, 0.2))
    together = tuple(Region(box) for box in boxes)
    apart = (together[0], dataclasses.replace(together[1], image=1), together[2])
    rows = InputRows(Needs(objects=3), TOKENS)
    batch = rows.batch([rows.sentence(example("a", [], regions=found), sentence("a")) for found in (together, apart)])
    assert batch.objects is not None
    one, two = batch.objects.edges.tolist()
    assert one[0][1] > SELF_LOOP and one[1][2] > SELF_LOOP and one[0][2] == 0, "the middle one is nearer to both"
    assert two[0][2] > SELF_LOOP and two[0][1] == two[1][2] == 0


def test_mnre_gives_a_candidate_a_line_with_its_boxes(tmp_path):
    lines = (ROOT / "mnre" / "mnre_train.txt").read_text(encoding="utf-8")
    (tmp_path / "mnre" / "boxes").mkdir(parents=True)
    (tmp_path / "mnre" / "mnre_train.txt").write_text(lines, encoding="utf-8")
    plain = load("mnre", "train", tmp_path, "native")
    assert len(plain) == len([line for line in lines.splitlines() if line.strip()])
    assert all(len(one.candidates) == 1 and not one.regions for one in plain)
    assert {one.candidates[0].key for one in plain} >= {""}
    image = plain[0].image.rsplit(".", 1)[0]
    boxes = {f"{image}_crop_1.jpg": [0.5, 0.5, 0.2, 0.4, 0.08], f"{image}_crop_0.jpg": [0.1, 0.1, 0.4, 0.2, 0.08]}
    path = tmp_path / "mnre" / "boxes" / "train_detect_box_dict.json"
    path.write_text(json.dumps(boxes))
    shapes = [region.box for region in load("mnre", "train", tmp_path, "native")[0].regions]
    assert shapes[0] == pytest.approx((0.0, 0.0, 0.3, 0.2)) and shapes[1] == pytest.approx((0.4, 0.3, 0.2, 0.4))
    path.write_text(json.dumps({"picture.jpg": [1, 2]}))
    with pytest.raises(DatasetError, match="train_detect_box_dict"):
        load("mnre", "train", tmp_path, "native")
