"""Which entity each mention of an extraction means, where a reader resolves coreference."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import pytest

from extraction.schema import ExtractedEntity, ExtractedMention, Extraction, Form, Relation, When
from knowledge.entities import names
from knowledge.recording import resolution
from knowledge.recording.resolution import ResolvedMention

ONE, OTHER = UUID(int=1), UUID(int=2)
Named = tuple[str, int] | tuple[str, int, Form]


def extraction(
    text: str, entities: Sequence[tuple[str, str]], named: Sequence[Named], relations: Sequence[Relation] = ()
) -> Extraction:
    """Each mention by its words, found in order, its entity's index and its form; entities by type and name."""
    mentions, place = [], 0
    for words, entity, *rest in named:
        place = text.index(words, place)
        form: Form = rest[0] if rest else "name"
        mentions.append(ExtractedMention(place, place + len(words), entities[entity][0], 0.9, form, entity))
        place += len(words)
    found = tuple(ExtractedEntity(*one) for one in entities)
    return Extraction("x", text, mentions=tuple(mentions), relations=tuple(relations), entities=found)


def keys(given: Extraction, post: UUID = ONE) -> list[str]:
    return [one.key for _, one in sorted(resolution.resolve(given, post).items())]


def test_all_mentions_of_an_entity_have_the_key_of_its_name() -> None:
    given = extraction(
        "Merkel spoke. The chancellor said that she would stay, Angela Merkel's party said.",
        [("person", "Angela Merkel")],
        [("Merkel", 0), ("chancellor", 0, "nominal"), ("she", 0, "pronoun"), ("Angela Merkel", 0)],
    )
    assert keys(given) == ["angela merkel|person"] * 4
    assert [(one.label, one.name) for one in resolution.resolve(given, ONE).values()] == [
        ("Angela Merkel", "Merkel"),
        ("Angela Merkel", "Angela Merkel"),
        ("Angela Merkel", "Angela Merkel"),
        ("Angela Merkel", "Angela Merkel"),
    ]


def test_an_entity_without_a_name_is_left_out_with_its_mentions() -> None:
    given = extraction("He met Ann.", [("person", ""), ("person", "Ann")], [("He", 0, "pronoun"), ("Ann", 1)])
    assert resolution.resolve(given, ONE) == {1: ResolvedMention("ann|person", "person", "Ann", "Ann")}


def test_short_names_of_people_are_joined_only_where_the_reader_did_not() -> None:
    text, named = "Angela Merkel left. Merkel returned.", [("Angela Merkel", 0), ("Merkel", 1)]
    entities = [("person", "Angela Merkel"), ("person", "Merkel")]
    assert keys(extraction(text, entities, named)) == ["angela merkel|person", "merkel|person"]
    mentions = (ExtractedMention(0, 13, "person"), ExtractedMention(20, 26, "person"))
    assert keys(Extraction("x", text, mentions=mentions)) == ["angela merkel|person"] * 2


def test_a_name_that_was_not_brought_together_is_an_entity_and_a_pronoun_is_none() -> None:
    mentions = (ExtractedMention(0, 3, "person", entity=0), ExtractedMention(8, 11, "person"))
    alone = ExtractedMention(12, 14, "person", form="pronoun")
    given = Extraction("x", "Ann met Bob he", mentions=(*mentions, alone), entities=(ExtractedEntity("person", "Ann"),))
    assert keys(given) == ["ann|person", "bob|person"]


OFFICES = "Boeing's chief executive met Shell's chief executive."
BODIES = [
    ("organization", "Boeing"),
    ("role", "chief executive"),
    ("organization", "Shell"),
    ("role", "chief executive"),
]
PLACES: list[Named] = [("Boeing", 0), ("chief executive", 1), ("Shell", 2), ("chief executive", 3)]


def test_an_office_is_that_of_its_body_in_every_post() -> None:
    at = [Relation(1, 0, "role_at", 0.9), Relation(3, 2, "role_at", 0.9)]
    given = extraction(OFFICES, BODIES, PLACES, at)
    _, boeing, _, shell = keys(given)
    assert boeing != shell and boeing.startswith("chief executive|role@")
    assert keys(given, OTHER) == keys(given)


@pytest.mark.parametrize("changes", [{"score": 0.4}, {"factuality": "denied"}])
def test_an_office_without_a_sure_body_belongs_to_its_post(changes: dict[str, object]) -> None:
    at = [Relation(1, 0, "role_at", **{"score": 0.9, **changes})]  # type: ignore[arg-type]
    given = extraction(OFFICES, BODIES[:2], PLACES[:2], at)
    assert keys(given)[1] == f"chief executive|role@post:{ONE}"
    assert keys(given, OTHER)[1] != keys(given)[1]


@pytest.mark.parametrize(
    ("text", "name", "shared"),
    [
        ("It began before World War II.", "World War II", True),
        ("They fled Hurricane Irma.", "Hurricane Irma", True),
        ("He voted for Brexit.", "Brexit", True),
        ("He fought in the Battle of Britain.", "Battle of Britain", True),
        ("An attack killed two.", "attack", False),
        ("A Kabul attack killed two.", "Kabul attack", False),
        ("Attack kills two", "Attack", False),
        ("Kabul Attack Kills Two\n\nThe Kabul attack was the first.", "Kabul Attack", False),
        ("The 2016 election was near.", "2016 election", False),
    ],
)
def test_an_event_is_shared_only_by_a_proper_name(text: str, name: str, shared: bool) -> None:
    place = text.casefold().rindex(name.casefold())
    mentions = (ExtractedMention(place, place + len(name), "event", entity=0),)
    given = Extraction("x", text, mentions=mentions, entities=(ExtractedEntity("event", name),))
    assert (keys(given) == keys(given, OTHER)) == shared


def test_a_name_without_a_capital_belongs_to_its_post() -> None:
    entities = [("organization", "police"), ("miscellaneous", "murder"), ("organization", "eBay"), ("location", "東京")]
    given = extraction(
        "police saw murder at eBay in 東京", entities, [("police", 0), ("murder", 1), ("eBay", 2), ("東京", 3)]
    )
    assert keys(given) == [
        f"police|organization@post:{ONE}",
        "murder|miscellaneous",
        "ebay|organization",
        "東京|location",
    ]


def test_a_time_is_known_by_its_days_and_otherwise_belongs_to_its_post() -> None:
    entities = [("event", "Tet"), ("time", "Monday"), ("time", "recently"), ("number", "five")]
    named: list[Named] = [("Tet", 0), ("Monday", 1), ("recently", 2), ("five", 3)]
    days = When(1, date(2017, 3, 6), date(2017, 3, 6))
    given = extraction("on Tet, Monday, recently five", entities, named, [Relation(0, 1, "point_in_time", when=days)])
    assert keys(given)[1:] == ["2017-03-06|time", f"recently|time@post:{ONE}", f"five|number@post:{ONE}"]
    assert resolution.resolve(given, ONE)[1].label == "2017-03-06"


def test_no_name_has_a_key_with_a_scope() -> None:
    assert names.is_scoped(names.scoped_key("attack", "event", f"post:{ONE}"))
    assert not names.is_scoped(names.resolution_key("attack|event@post:1", "event"))
    assert not names.is_scoped("split:0c3a") and not names.is_scoped("@ann|person")
