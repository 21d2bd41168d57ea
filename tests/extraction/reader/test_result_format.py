"""How `manage.py read` reports what news says of a relation: factuality, claimant, time, amount, and the entities."""

from __future__ import annotations

from datetime import date

from extraction.reader.result_format import as_json, as_table
from extraction.schema import Amount, ExtractedEntity, ExtractedMention, Extraction, Relation, When

TEXT = "Rome says Acme will buy Bolt for $2 billion on Monday. It denied that Bolt was sued by Rome."
SURE = {"default": 0.5}


def mention(words: str, type: str, entity: int | None = None, form: str = "name", nth: int = 0) -> ExtractedMention:
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(words, start + 1)
    return ExtractedMention(start, start + len(words), type, 0.9, form, entity)  # type: ignore[arg-type]


def extraction(*relations: Relation) -> Extraction:
    mentions = (
        mention("Rome", "location", 0),
        mention("Acme", "organization", 1),
        mention("Bolt", "organization", 2),
        mention("$2 billion", "number"),
        mention("Monday", "time"),
        mention("It", "organization", 1, "pronoun"),
        mention("Bolt", "organization", 2, nth=1),
    )
    entities = (
        ExtractedEntity("location", "Rome"),
        ExtractedEntity("organization", "Acme"),
        ExtractedEntity("organization", "Bolt"),
    )
    return Extraction("1", TEXT, "en", mentions, relations, entities=entities)


ALLEGED = Relation(
    *(1, 2, "acquired", 0.9),
    factuality="alleged",
    by=0,
    when=When(4, date(2014, 3, 3), date(2014, 3, 3)),
    amount=Amount(3, 2e9, "USD"),
)
DENIED = Relation(0, 6, "sued", 0.8, factuality="denied", by=5)


def test_a_quintuple_has_its_factuality_claimant_time_and_amount():
    [found] = as_json(extraction(ALLEGED), "x", SURE)["quintuples"]
    assert found["factuality"] == "alleged"
    assert found["by"] == {"start": 0, "end": 4, "text": "Rome", "type": "location", "form": "name", "entity": 0}
    monday = TEXT.index("Monday")
    assert found["when"] == {
        **{"start": monday, "end": monday + 6, "text": "Monday"},
        **{"earliest": "2014-03-03", "latest": "2014-03-03"},
    }
    assert (found["amount"]["text"], found["amount"]["value"], found["amount"]["unit"]) == ("$2 billion", 2e9, "USD")


def test_an_open_or_unresolved_side_is_null():
    [found] = as_json(extraction(Relation(1, 2, "acquired", when=When(4, date(2014, 3, 3)))), "x", SURE)["quintuples"]
    assert (found["when"]["earliest"], found["when"]["latest"]) == ("2014-03-03", None)


def test_mentions_lead_to_the_entities_of_the_text():
    found = as_json(extraction(), "x", SURE)
    assert found["entities"][1] == {"name": "Acme", "type": "organization"}
    pronoun = next(one for one in found["mentions"] if one["text"] == "It")
    assert (pronoun["form"], pronoun["entity"]) == ("pronoun", 1)
    assert [one["entity"] for one in found["mentions"] if one["type"] in ("time", "number")] == [None, None]


def test_what_is_denied_is_no_quintuple_and_has_the_same_shape():
    found = as_json(extraction(ALLEGED, DENIED), "x", SURE)
    [asserted], [refuted] = found["quintuples"], found["denied"]
    assert refuted["relation"] == "sued" and refuted["factuality"] == "denied"
    assert refuted.keys() == asserted.keys()
    assert as_json(extraction(DENIED), "x", {"default": 0.85})["denied"] == []


def test_the_table_names_claimants_and_times_in_plain_words():
    lines = list(as_table(extraction(ALLEGED), SURE))
    [row] = [line for line in lines if "P1830" in line]
    assert "alleged by Rome; Monday, 3 March 2014; $2 billion (2 billion USD)" in row
    assert "denied in the text:" not in "\n".join(lines)


def test_the_table_keeps_what_is_denied_apart_and_calls_pronouns_by_their_name():
    lines = list(as_table(extraction(DENIED), SURE))
    after = lines[lines.index("  denied in the text:") + 1 :]
    assert [line.split("  ")[1:] for line in after] == [
        ["0.80", "Rome (location)", "sued", "Bolt (organization)", "denied by Acme"]
    ]
    assert "  no relation reached its threshold" in lines
    assert "  Organizations  Acme, Bolt" in lines


def test_a_planned_relation_says_so():
    [row] = list(as_table(extraction(Relation(1, 2, "acquired", factuality="planned")), SURE))[-1:]
    assert row.split("  ")[5:] == ["planned", "P1830"]
