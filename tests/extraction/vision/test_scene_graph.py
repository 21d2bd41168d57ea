"""How regions stand to each other: relations of place, of depth, of doing; both directions; what networks are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extraction.schema import Region, SceneEdge
from extraction.vision import scene_graph
from extraction.vision.scene_graph import FIRST_TYPE, OPPOSITE, PREDICATES, build, edge_types

Box = tuple[float, float, float, float]
PERSON = (0.4, 0.1, 0.2, 0.8)


def stated(
    *regions: tuple[str, Box], depths: list[float] | None = None, aspect: float = 1.0
) -> set[tuple[str, str, str]]:
    found = [Region(box, label) for label, box in regions]
    return {
        (found[edge.subject].label, edge.predicate, found[edge.object].label) for edge in build(found, aspect, depths)
    }


@pytest.mark.parametrize(
    ("other", "predicate"),
    [
        ((0.7, 0.4, 0.1, 0.1), "left of"),
        ((0.1, 0.4, 0.1, 0.1), "right of"),
        ((0.42, 0.92, 0.1, 0.05), "above"),
        ((0.42, 0.0, 0.1, 0.05), "below"),
        ((0.3, 0.0, 0.5, 1.0), "inside"),
        ((0.45, 0.2, 0.05, 0.1), "contains"),
        ((0.5, 0.1, 0.2, 0.8), "overlapping"),
    ],
)
def test_relations_of_place_hold_both_ways(other: Box, predicate: str) -> None:
    edges_found = stated(("a", PERSON), ("b", other))
    placed = {one for one in edges_found if one[1] != "near"}
    assert placed == {("a", predicate, "b"), ("b", OPPOSITE[predicate], "a")}


def test_near_is_a_matter_of_the_gap_and_the_sizes() -> None:
    assert ("a", "near", "b") in stated(("a", (0, 0, 0.2, 0.2)), ("b", (0.25, 0, 0.2, 0.2)))
    assert ("a", "near", "b") not in stated(("a", (0, 0, 0.2, 0.2)), ("b", (0.5, 0, 0.2, 0.2)))


def test_proportions_of_the_picture_decide_between_beside_and_above() -> None:
    pair = (("a", (0.0, 0.0, 0.1, 0.1)), ("b", (0.3, 0.5, 0.1, 0.1)))
    assert ("a", "above", "b") in stated(*pair)
    assert ("a", "left of", "b") in stated(*pair, aspect=3.0)


def test_depth_distinguishes_front_from_behind_where_boxes_meet() -> None:
    near, far, away = ("near", PERSON), ("far", (0.5, 0.2, 0.3, 0.6)), ("away", (0.0, 0.0, 0.02, 0.02))
    edges_found = stated(near, far, away, depths=[0.9, 0.3, 0.1])
    assert {("near", "in front of", "far"), ("far", "behind", "near")} <= edges_found
    assert not {one for one in edges_found if "away" in one and one[1] in ("in front of", "behind")}
    assert not {one for one in stated(near, far, depths=[0.5, 0.45]) if one[1] == "in front of"}


@pytest.mark.parametrize(
    ("thing", "box", "predicate"),
    [
        ("bicycle", (0.3, 0.5, 0.4, 0.48), "riding"),
        ("horse", (0.2, 0.45, 0.6, 0.55), "riding"),
        ("bicycle", (0.75, 0.5, 0.2, 0.48), None),  # stands beside
        ("cell phone", (0.55, 0.35, 0.05, 0.08), "holding"),
        ("cell phone", (0.8, 0.35, 0.05, 0.08), None),  # lies elsewhere
        ("tie", (0.48, 0.3, 0.04, 0.25), "wearing"),
        ("handbag", (0.55, 0.6, 0.12, 0.15), "holding"),
        ("chair", (0.38, 0.55, 0.25, 0.4), "sitting on"),
        ("chair", (0.1, 0.1, 0.2, 0.3), None),
        ("skateboard", (0.38, 0.86, 0.25, 0.08), "standing on"),
        ("sports ball", (0.65, 0.7, 0.06, 0.08), "playing with"),
        ("pizza", (0.45, 0.17, 0.1, 0.1), "eating"),
        ("laptop", (0.35, 0.5, 0.3, 0.3), "using"),
        ("bus", (0.05, 0.0, 0.9, 1.0), "in"),
        ("bed", (0.2, 0.05, 0.7, 0.9), "lying on"),
    ],
)
def test_interactions(thing: str, box: Box, predicate: str | None) -> None:
    edges_found = {
        one for one in stated(("person", PERSON), (thing, box)) if one[1] in scene_graph.INTERACTION_PREDICATES
    }
    assert edges_found == ({("person", predicate, thing)} if predicate else set())


def test_what_is_held_is_held_by_the_one_who_fits_best() -> None:
    regions = [
        Region((0.0, 0.1, 0.3, 0.8), "person"),
        Region((0.25, 0.1, 0.3, 0.8), "person"),
        Region((0.38, 0.4, 0.05, 0.1), "cup"),
    ]
    assert [(e.subject, e.object) for e in build(regions) if e.predicate == "holding"] == [(1, 2)]


def test_scores_fall_with_the_detectors_doubt() -> None:
    def score(surety: float) -> float:
        regions = [Region(PERSON, "person", surety), Region((0.48, 0.3, 0.04, 0.25), "tie", 0.8)]
        return next(edge.score for edge in build(regions) if edge.predicate == "wearing")

    assert score(0.5) == pytest.approx(score(1.0) / 2)


def test_a_learnt_classifier_takes_the_rules_place() -> None:
    regions = [Region(PERSON, "person"), Region((0.48, 0.3, 0.04, 0.25), "tie")]
    mine = SceneEdge(0, 1, "holding", "interaction", 0.4)
    found = build(regions, interactions=lambda given, aspect: [mine])
    assert [edge for edge in found if edge.kind == "interaction"] == [mine]


def test_networks_are_given_one_type_a_pair_and_no_self_loop() -> None:
    regions = [Region(PERSON, "person"), Region((0.48, 0.3, 0.04, 0.25), "tie"), Region((0.0, 0.0, 0.0, 0.0), "none")]
    types = edge_types([region.box for region in regions], build(regions))
    assert types[0, 1] == FIRST_TYPE + PREDICATES.index("wearing")
    assert types[1, 0] == FIRST_TYPE + PREDICATES.index("inside")
    assert not types.diagonal().any() and not types[2].any()
    assert edge_types([]).shape == (0, 0)


@example([(0.0, 0.0, 0.5, 0.5), (0.0625, 0.0, 1.5224621877456034e-12, 0.5)], 1.0)
@given(st.lists(st.tuples(*[st.floats(0, 0.6)] * 4), max_size=6), st.floats(0.2, 5))
def test_every_relation_of_place_has_its_opposite_and_scores_are_shares(found: list, aspect: float) -> None:
    regions = [Region(box, "person") for box in found]
    edges = build(regions, aspect, np.linspace(0, 1, len(found)).tolist())
    edges_found = {(edge.subject, edge.predicate, edge.object) for edge in edges}
    assert all((b, OPPOSITE[predicate], a) in edges_found for a, predicate, b in edges_found)
    assert all(0 <= edge.score <= 1 and edge.subject != edge.object for edge in edges)
