"""The inventory is consistent in itself, and every data set's label lands on it with its direction."""

import json

import pytest

from extraction.labels import (
    DATASETS,
    ENTITY_TYPES,
    RELATION_MAP,
    RELATIONS,
    TYPE_MAP,
    Inventory,
    annotated_relations,
    annotated_types,
    by_property,
    inventory,
    native_type,
    to_native,
)


def test_ends_are_entity_types_and_never_empty():
    for relation in RELATIONS.values():
        assert relation.heads and relation.heads <= set(ENTITY_TYPES), relation.key
        assert relation.tails and relation.tails <= set(ENTITY_TYPES), relation.key


def test_inverses_point_at_each_other_with_ends_that_meet():
    for relation in RELATIONS.values():
        if relation.inverse:
            back = RELATIONS[relation.inverse]
            assert back.inverse == relation.key
            assert back.heads & relation.tails and back.tails & relation.heads, relation.key


def test_symmetric_relations_have_the_same_ends_and_no_inverse():
    for relation in RELATIONS.values():
        if relation.symmetric:
            assert relation.heads == relation.tails and relation.inverse is None, relation.key


def test_a_property_has_one_exact_relation_and_each_match_is_stated():
    exact = [relation.property for relation in RELATIONS.values() if relation.match == "exact"]
    assert len(exact) == len(set(exact)) == 106
    for relation in RELATIONS.values():
        assert (relation.property is None) == (relation.match is None), relation.key
    assert by_property("P19").key == "place_of_birth"
    assert by_property("P26").key == "spouse"  # and not `couple`, which only comes close to it
    with pytest.raises(KeyError, match="P0"):
        by_property("P0")


def test_every_data_set_label_lands_on_the_inventory_and_its_ends_fit():
    assert len(RELATION_MAP["redocred"]) == 96
    for name in DATASETS:
        assert set(TYPE_MAP[name].values()) <= set(ENTITY_TYPES) | {""}
        for native in inventory([name], "native").relations:
            if native.key not in RELATION_MAP[name]:  # one that the set has in its own labels alone, or of a region
                continue
            mapped = RELATION_MAP[name][native.key]
            ours = RELATIONS[mapped.key]
            heads, tails = ({TYPE_MAP[name][label] for label in ends} for ends in (native.heads, native.tails))
            if mapped.turned:
                heads, tails = tails, heads
            assert heads <= ours.heads and tails <= ours.tails, (name, native.key)


def test_direction_is_turned_where_the_data_set_has_the_reverse():
    assert RELATION_MAP["jmere"]["/loc/loc/contain"][:2] == ("located_in", True)
    assert RELATION_MAP["conll04"]["Located_In"][:2] == ("located_in", False)
    assert RELATION_MAP["conll04"]["Kill"][:2] == ("killed_by", True)
    assert RELATIONS["killed_by"].property == "P157"


def test_mapping_back_gives_the_data_sets_own_label_by_the_types_of_the_ends():
    assert to_native("conll04", "killed_by", "person", "person") == ("Kill", True)
    assert to_native("conll04", "located_in", "location", "location") == ("Located_In", False)
    assert to_native("conll04", "located_in", "organization", "location") is None
    assert to_native("jmere", "alternate_names", "person", "person") == ("/per/per/alternate_names", False)
    assert to_native("jmere", "alternate_names", "organization", "organization") == (
        "/org/org/alternate_names",
        False,
    )
    assert to_native("jmere", "located_in", "location", "location") == ("/loc/loc/contain", True)
    assert to_native("jmere", "date_of_birth", "person", "time") is None
    assert to_native("redocred", "spouse", "person", "person") == ("P26", False)
    assert [native_type("conll04", key) for key in ("location", "time", "miscellaneous")] == ["Loc", "Other", "Other"]
    assert [native_type("jmere", key) for key in ("person", "time")] == ["per", ""]


def test_no_two_labels_of_a_set_are_indistinguishable():
    for name in DATASETS:
        for native in inventory([name], "native").relations:
            if native.key not in RELATION_MAP[name]:  # one that the set has in its own labels alone, or of a region
                continue
            mapped = RELATION_MAP[name][native.key]
            (head, *_), (tail, *_) = native.heads, native.tails
            ends = [TYPE_MAP[name][head], TYPE_MAP[name][tail]]
            head_type, tail_type = ends[::-1] if mapped.turned else ends
            assert to_native(name, mapped.key, head_type, tail_type) == (native.key, mapped.turned)


def test_relations_of_regions_stand_behind_those_of_mentions():
    assert inventory(["gmner", "conll04"]).relation_keys[-2:] == ("killed_by", "depicts")
    native = inventory(["gmner"], "native")
    assert native.relation_keys == ("depicts",) and native.types == ("PER", "ORG", "LOC", "OTHER")
    assert native.relations[0].heads == set(native.types) and not native.relations[0].tails
    assert annotated_relations("gmner", "native") == frozenset()  # none of two mentions
    assert Inventory.from_dict(json.loads(json.dumps(native.as_dict()))) == native


def test_crossre_has_its_17_relations_in_its_own_labels_alone():
    native = inventory(["crossre_news"], "native")
    assert len(native.relations) == 17 and len(native.types) == 39
    assert annotated_relations("crossre_news", "native") == set(native.relation_keys)
    assert inventory(["crossre_news"]).relations == () and annotated_relations("crossre_news", "mapped") == frozenset()


def test_an_inventory_keeps_the_tables_order_and_survives_json():
    both = inventory(["conll04", "jmere"])
    assert both.types == ("person", "organization", "location", "miscellaneous")
    order = list(RELATIONS)
    assert list(both.relation_keys) == sorted(both.relation_keys, key=order.index)
    assert {"killed_by", "peer", "located_in"} <= set(both.relation_keys)
    assert "continent" not in both.relation_keys
    assert Inventory.from_dict(json.loads(json.dumps(both.as_dict()))) == both


def broken(**fields: object) -> dict:
    values: dict = json.loads(json.dumps(inventory(["conll04"]).as_dict()))
    values["relations"][0] |= fields
    return values


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"types": 3, "relations": []},
        {"types": [1], "relations": []},
        {"types": [], "relations": ["x"]},
        broken(key=None),
        broken(label=["x"]),
        broken(property=27),
        broken(match="sort of"),
        broken(heads="person"),
        broken(tails=["planet"]),
        broken(inverse={}),
    ],
)
def test_a_broken_inventory_is_refused(values):
    with pytest.raises(ValueError, match="no inventory"):
        Inventory.from_dict(values)


def test_native_labels_are_one_data_sets():
    native = inventory(["conll04"], "native")
    assert native.types == ("Peop", "Org", "Loc", "Other")
    assert not any(relation.symmetric for relation in inventory(["jmere"], "native").relations)
    with pytest.raises(ValueError, match="one data set"):
        inventory(["conll04", "jmere"], "native")
    with pytest.raises(ValueError, match="unknown data set 'ace'"):
        inventory(["ace"])


def test_annotated_types_exclude_unknown_types():
    assert annotated_types("conll04", "mapped") == {"person", "organization", "location"}
    assert annotated_types("conll04", "native") == {"Peop", "Org", "Loc", "Other"}
    assert annotated_relations("twitter2015", "mapped") == frozenset()
    assert annotated_relations("conll04", "mapped") == {
        "located_in",
        "employer",
        "headquarters_location",
        "residence",
        "killed_by",
    }
