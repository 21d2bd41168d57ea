"""Links of entities: looked up, decided, merged, shown; and comparisons of statements with facts."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from knowledge.entities import merges
from knowledge.graphs import unit_builder
from knowledge.graphs.rdf import quads
from knowledge.linking import fact_comparison, fit, link_queue, linker_from_settings
from knowledge.linking.fact_comparison import EXTRACTED_ONLY
from knowledge.linking.linker import Linker
from knowledge.models import Entity, Event, Link, Merge
from knowledge.record import projection_queue
from knowledge.sources import index_builder
from knowledge.sources.local_index import LocalIndex
from knowledge.sources.protocol import Known, KnownFact
from tests import factories, records

pytestmark = pytest.mark.django_db

DBPEDIA = "http://dbpedia.org/resource/Ada_Lovelace"
ADA = Known(
    "Q7259", "Ada Lovelace", "English mathematician, worked with Charles Babbage",
    ("Ada Lovelace", "Countess of Lovelace"), ("person",), 100, {"dbpedia": DBPEDIA},
    (KnownFact("P569", "1815-12-10T00:00:00Z"), KnownFact("P25", "Q2", "Anne Isabella Byron"), KnownFact("P26", "Q3")),
)  # fmt: skip
KING = Known("Q3", "William King", "English nobleman", ("William King",), ("person",), 20)
BYRON = Known("Q2", "Anne Isabella Byron", "English noblewoman", ("Anne Isabella Byron",), ("person",), 20)
TEXT = "Ada Lovelace, born in 1815, the mathematician, met Charles Babbage and William King. Zaphod laughed."


@pytest.fixture
def linker(tmp_path: Path) -> Linker:
    index_builder.build(tmp_path / "index.sqlite3", "these", [ADA, KING, BYRON])
    return Linker.shipped([LocalIndex(tmp_path / "index.sqlite3")])


def no_network(url: str, accept: str) -> Any:
    raise AssertionError(f"{url} was requested")


def read(text: str = TEXT, *more: tuple[str, str]) -> None:
    names = [("Ada Lovelace", "person"), ("1815", "time"), ("William King", "person"), ("Zaphod", "person"), *more]
    relations = [("Ada Lovelace", "spouse", "William King", 0.9), ("Ada Lovelace", "date_of_birth", "1815", 0.9)]
    records.read(
        records.post(text), [one for one in names if one[0] in text], [one for one in relations if one[2] in text]
    )


def link(name: str) -> Link:
    return Link.objects.get(entity__label=name)


def test_new_entities_are_looked_up_once_and_what_is_no_name_is_not(linker: Linker) -> None:
    records.checkpoint()
    read()
    done = link_queue.look_up(linker, "index")
    assert (done.linked, done.nil, done.failed) == (2, 1, 0)
    ada = link("Ada Lovelace")
    assert (ada.target, ada.label, ada.addresses) == ("Q7259", "Ada Lovelace", {"dbpedia": DBPEDIA})
    assert ada.candidates[0]["id"] == "Q7259"
    assert link("Zaphod").target == "" and not Link.objects.filter(entity__label="1815").exists()
    assert not link_queue.look_up(linker, "index"), "nothing is due any more"


def test_a_link_is_in_the_graph(linker: Linker) -> None:
    records.checkpoint()
    read()
    records.settle()
    link_queue.look_up(linker, "index")
    assert ("entity", "Ada Lovelace") in records.marked()
    assert ("entity", "Zaphod") not in records.marked()
    [unit] = unit_builder.entities([records.entity("Ada Lovelace").public_id])
    same = {str(quad.object) for quad in quads.quads(unit) if quad.predicate == quads.SAME_AS}
    assert same == {"<http://www.wikidata.org/entity/Q7259>", f"<{DBPEDIA}>"}


def test_an_address_that_is_none_never_becomes_an_iri(linker: Linker) -> None:
    records.checkpoint()
    read()
    link_queue.look_up(linker, "index")
    Link.objects.filter(target="Q7259").update(addresses={"dbpedia": "javascript:alert(1)> <x"})
    [unit] = unit_builder.entities([records.entity("Ada Lovelace").public_id])
    assert [str(quad.object) for quad in quads.quads(unit) if quad.predicate == quads.SAME_AS] == [
        "<http://www.wikidata.org/entity/Q7259>"
    ]


def test_a_worker_that_dies_only_delays(linker: Linker, monkeypatch: pytest.MonkeyPatch) -> None:
    records.checkpoint()
    read()

    def dies(self: Any, asked: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Linker, "link", dies)
        with pytest.raises(SystemExit):
            link_queue.look_up(linker, "index")
    assert not link_queue.look_up(linker, "index"), "others hold off while it may be at work"
    Link.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert link_queue.look_up(linker, "index").linked == 2


def test_one_that_fails_keeps_its_error_and_delays_no_other(linker: Linker, monkeypatch: pytest.MonkeyPatch) -> None:
    records.checkpoint()
    read()
    real = Linker.link

    def fails(self: Any, asked: Any) -> Any:
        if asked[0].name == "Zaphod":
            raise RuntimeError("improbable")
        return real(self, asked)

    monkeypatch.setattr(Linker, "link", fails)
    done = link_queue.look_up(linker, "index")
    assert (done.linked, done.failed) == (2, 1)
    row = link("Zaphod")
    assert "improbable" in row.error
    assert row.due_at is not None and row.due_at > timezone.now()


def test_two_entities_with_one_link_are_merged_unless_an_editor_split_them(linker: Linker) -> None:
    records.checkpoint()
    read()
    records.read(
        records.post("The Countess of Lovelace, the English mathematician."), [("Countess of Lovelace", "person")]
    )
    link_queue.look_up(linker, "index")
    Link.objects.filter(target="Q7259").update(sure=0.95, due_at=timezone.now())
    if not Merge.objects.exists():  # neither link was confident enough
        link_queue._merge_same_links(link("Countess of Lovelace"))
    one, other = records.entity("Ada Lovelace"), records.entity("Countess of Lovelace")
    assert other.canonical == one
    merges.undo(Merge.objects.get(), factories.make_user("editor"))
    assert link_queue._merge_same_links(link("Countess of Lovelace")) == 0
    assert records.entity("Countess of Lovelace").canonical is None


def test_an_editors_decision_stays(linker: Linker, client: Any) -> None:
    records.checkpoint()
    read()
    link_queue.look_up(linker, "index")
    ada = records.entity("Ada Lovelace")
    client.force_login(factories.make_user("editor"))
    address = reverse("decide_link", args=[ada.public_id])
    assert (
        client.post(address, {"target": "Q999"}, follow=True).content.count(b"is not a candidate for this entity") == 1
    )
    client.post(address, {"target": ""})
    assert link("Ada Lovelace").target == ""
    link_queue.again()
    link_queue.look_up(linker, "index")
    assert link("Ada Lovelace").target == ""
    assert list(Event.objects.values_list("what", "before", "after")) == [("link decided", "Q7259", "")]
    client.force_login(factories.make_user("viewer"))
    assert client.post(address, {"target": "Q7259"}).status_code == 403


def test_the_page_shows_what_it_is_and_what_is_known_already(linker: Linker, client: Any) -> None:
    records.checkpoint()
    read()
    link_queue.look_up(linker, "index")
    client.force_login(factories.make_user("editor"))
    page = client.get(reverse("entity", args=[records.entity("Ada Lovelace").public_id])).content.decode()
    assert 'href="https://www.wikidata.org/wiki/Q7259"' in page
    assert page.count("in Wikidata</span>") == 2, "the spouse and the year of birth"


@pytest.mark.parametrize(
    ("relation", "tail", "standing"),
    [
        ("date_of_birth", ("10 December 1815", "time", ""), "known"),
        ("date_of_birth", ("December 1815", "time", ""), "known"),
        ("date_of_birth", ("9 December 1815", "time", ""), "conflict"),
        ("date_of_birth", ("1852", "time", ""), "conflict"),
        ("date_of_birth", ("last Monday", "time", ""), EXTRACTED_ONLY),
        ("date_of_birth", ("1815-12-07/1815-12-13", "time", ""), EXTRACTED_ONLY),
        ("date_of_birth", ("1816-01-01/..", "time", ""), EXTRACTED_ONLY),
        ("mother", ("Anne Isabella Byron", "person", "Q2"), "known"),
        ("mother", ("Another", "person", "Q5"), "conflict"),
        ("mother", ("Nobody known", "person", ""), EXTRACTED_ONLY),
        ("spouse", ("Another", "person", "Q5"), EXTRACTED_ONLY),
        ("employer", ("Somebody", "person", "Q5"), EXTRACTED_ONLY),
    ],
)
def test_a_statement_is_known_only_extracted_or_in_conflict(
    relation: str, tail: tuple[str, str, str], standing: str
) -> None:
    facts = [[fact.property, fact.value, fact.label] for fact in ADA.facts]
    ends = []
    for label, kind, target, known in [("Ada Lovelace", "person", "Q7259", facts), (*tail, [])]:
        entity = Entity.objects.create(label=label, type=kind, key=f"{label}|{kind}")
        Link.objects.create(entity=entity, target=target, facts=known)
        ends.append(entity.pk)
    triple = (ends[0], relation, ends[1])
    assert fact_comparison.agreements([triple])[triple].standing == standing


def test_a_symmetric_statement_is_known_from_either_side() -> None:
    ends = [Entity.objects.create(label=name, type="person", key=name).pk for name in ("William King", "Ada Lovelace")]
    Link.objects.create(entity_id=ends[0], target="Q3")
    Link.objects.create(entity_id=ends[1], target="Q7259", facts=[["P26", "Q3", ""]])
    assert fact_comparison.agreements([(ends[0], "spouse", ends[1])])[ends[0], "spouse", ends[1]].standing == "known"


def test_the_index_that_ships_holds_what_it_should(settings: Any, tmp_path: Path) -> None:
    known = linker_from_settings.shipped()
    assert len({one.id for one in known}) == len(known) >= 400
    settings.DATA_DIR = tmp_path
    linker = linker_from_settings.linker(no_network)
    assert linker is not None
    again = linker_from_settings.linker(no_network)
    assert again is linker, "made once"
    index_builder.build(linker_from_settings.index_path(), "another", [ADA])
    assert linker_from_settings.linker(no_network) is not linker, "a new index is noticed"


def test_links_are_marked_for_the_graph_only_where_they_changed(linker: Linker) -> None:
    records.checkpoint()
    read()
    link_queue.look_up(linker, "index")
    records.settle()
    link_queue.again()
    link_queue.look_up(linker, "index")
    assert not projection_queue.stale("rdf").exists()


@pytest.mark.skipif(not os.environ.get("WIKIDATA_MEL"), reason="WIKIDATA_MEL names no wikidata-mel.json")
def test_every_shipped_entity_is_in_its_source() -> None:
    rows = fit.records(Path(os.environ["WIKIDATA_MEL"]))
    names = {answer: name for row in rows for name, answer in zip(row.names, row.answers, strict=True)}
    for one in linker_from_settings.shipped():
        assert names[one.id] == (f"{one.label} ({one.description})" if one.description else one.label)


def test_every_candidate_is_kept_and_one_without_facts_gets_them_when_it_is_chosen(
    linker: Linker, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.checkpoint()
    read()
    monkeypatch.setattr(link_queue, "KEPT_WHOLE", 0)
    link_queue.look_up(linker, "index")
    ada = link("Ada Lovelace")
    assert [one["id"] for one in ada.candidates] == ["Q7259"] and ada.candidates[0]["facts"] == []
    link_queue.decide(ada.entity, "Q7259", factories.make_user("editor"))
    link_queue.look_up(linker, "index")
    ada.refresh_from_db()
    assert ["P26", "Q3", ""] in ada.facts and ada.due_at is None
