"""Facts shown to a reader: looked up before the post is read, stored with the reading, repeated facts marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from extraction.models import Checkpoint, Deployment, Post, Reading
from extraction.reader import known_facts
from extraction.readings import model_registry, reading_requests
from extraction.readings import queue as readings_queue
from extraction.schema import Document, ExtractedMention, Extraction, Fact, Relation
from knowledge import tasks
from knowledge.graphs import unit_builder
from knowledge.graphs.rdf import quads
from knowledge.linking import fact_candidates, fact_queue, link_queue, linker_from_settings
from knowledge.linking.fact_candidates import MOST, MOST_EACH, Subject, facts_about, named, windows
from knowledge.linking.linker import Linker
from knowledge.models import Evidence, Link
from knowledge.ontology.vocabulary import NAMESPACE
from knowledge.recording import recorder
from knowledge.sources import index_builder
from knowledge.sources.local_index import LocalIndex
from tests import factories, records
from tests.knowledge.linking.test_link_queue import ADA, BYRON, KING

TITLE = "Ada Lovelace wed William King"
TEXT = f"{TITLE}\n\nThe mathematician Lovelace met the nobleman King in London on Monday."
NAMES = [("Ada Lovelace", "person"), ("William King", "person"), ("London", "location")]
SPOUSE = Fact("Ada Lovelace", "spouse", "William King", "Wikidata", "spouse")


@pytest.fixture
def local(tmp_path: Path) -> tuple[Linker, LocalIndex]:
    index_builder.build(tmp_path / "index.sqlite3", "these", [ADA, KING, BYRON])
    index = LocalIndex(tmp_path / "index.sqlite3")
    return Linker.shipped([index]), index


def facts_checkpoint(active: bool = True) -> Checkpoint:
    made = records.checkpoint("with facts", active=active)
    Checkpoint.objects.filter(pk=made.pk).update(facts=True)
    made.refresh_from_db()
    return made


def waiting(text: str = TEXT) -> Reading:
    """A post's reading by a checkpoint that takes facts, as a fetch creates it."""
    post = Post.objects.get(pk=records.post(text).pk)
    Reading.objects.filter(version__post=post).delete()
    reading_requests.request_missing(Deployment.objects.get(active=True).checkpoint)
    return Reading.objects.get(version__post=post)


def test_names_are_runs_of_capitals_the_longest_that_is_known() -> None:
    text = "Angela Merkel Visits Paris. Jean-Luc Picard of the Enterprise, and merkel."
    places = windows(text)
    assert {"angela merkel", "merkel visits paris", "jean-luc picard", "enterprise"} <= places.keys()
    assert "visits paris jean-luc" not in places and "picard of" not in places
    known = {"angela merkel", "merkel", "paris", "jean-luc picard", "picard"}
    assert [one.name for one in named(text, places, known)] == ["Angela Merkel", "Paris", "Jean-Luc Picard"]


@pytest.mark.parametrize("text", ["", "\x00", "İİİ Ǆ" * 500, "A" * 50_000, "A " * 50_000, "ﬁ Ⅷ '' -- ’", "\u202e Ab"])
def test_no_text_is_too_strange(text: str) -> None:
    assert named(text, windows(text), windows(text).keys()) is not None
    assert sum(len(spans) for spans in windows(text).values()) <= 10 * fact_candidates.READ_FROM


def test_facts_are_capped_alternate_and_lead_to_each_other_first() -> None:
    many = tuple(("P800", f"work {number}", "", "") for number in range(100))
    ada = Subject("Q1", "Ada Lovelace", "mathematician", ("women", "poets", "more"), (*many, ("P26", "Q2", "", "")))
    born, nameless = ("P569", "1805-02-21T00:00:00Z", "", ""), ("P27", "Q145", "", "")
    king = Subject("Q2", "William King", "nobleman", (), (born, nameless, ("P551", "Q84", "London", "dbo:residence")))
    facts = facts_about({"Ada Lovelace": ada, "Bill": king}, lambda ids: {})
    assert facts[0] == SPOUSE and facts[1] == Fact("Bill", "is", "nobleman", "Wikidata")
    assert sum(fact.subject == "Ada Lovelace" for fact in facts) == MOST_EACH
    assert [fact.object for fact in facts if fact.property == "category"] == ["women", "poets"]
    assert Fact("Bill", "date of birth", "1805-02-21", "Wikidata", "date_of_birth") in facts
    assert Fact("Bill", "residence", "London", "DBpedia", "residence") in facts
    assert not any(fact.object in ("", "Q145") for fact in facts), "values without a name are left out"
    crowd = {f"N{n}": Subject(f"Q{n}", f"N{n}", "", (), many) for n in range(1, 30)}
    assert len(facts_about(crowd)) == MOST


def test_facts_are_looked_up_before_a_reader_may_claim(db: Any, local: tuple[Linker, LocalIndex]) -> None:
    facts_checkpoint()
    row = waiting()
    assert row.stage == Reading.Stage.LINK
    assert readings_queue.claim("reader", 10) == [], "no reader waits for facts, none reads without"
    assert fact_queue.prepare(local) == 1
    row.refresh_from_db()
    assert row.stage == Reading.Stage.READ
    [claimed] = readings_queue.claim("reader", 10)
    assert claimed.document.facts is not None and SPOUSE in claimed.document.facts
    assert Fact("Ada Lovelace", "mother", "Anne Isabella Byron", "Wikidata", "mother") in claimed.document.facts
    assert fact_queue.prepare(local) == 0


def test_stored_answers_of_services_are_used_without_a_request(db: Any) -> None:
    records.checkpoint()
    records.read(records.post(TEXT), NAMES)
    changed = {"target": "Q7259", "label": "Ada Lovelace", "categories": ["poets"], "facts": [["P20", "Q84", "London"]]}
    Link.objects.filter(entity__label="Ada Lovelace").update(**changed)
    facts = fact_queue.facts_of("Ada Lovelace laughed.", None, recorded=True)
    assert facts == (
        Fact("Ada Lovelace", "category", "poets", "Wikidata"),
        Fact("Ada Lovelace", "place of death", "London", "Wikidata", "place_of_death"),
    )
    assert fact_queue.facts_of("Nobody laughed.", None, recorded=True) == ()


def test_a_post_that_cannot_be_looked_up_is_read_without_facts(
    db: Any, local: tuple[Linker, LocalIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts_checkpoint()
    row = waiting()

    def broken(*args: Any, **options: Any) -> Any:
        raise OSError("the index is on fire")

    monkeypatch.setattr(fact_queue, "facts_of", broken)
    assert fact_queue.prepare(local) == 1
    [claimed] = readings_queue.claim("reader", 10)
    assert claimed.reading_id == row.pk and claimed.document.facts is None


def test_a_worker_that_dies_only_delays(
    db: Any, local: tuple[Linker, LocalIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts_checkpoint()
    row = waiting()

    def dies(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(fact_queue, "facts_of", dies)
        fact_queue.prepare(local)
    assert fact_queue.prepare(local) == 0
    Reading.objects.filter(pk=row.pk).update(due_at=timezone.now())
    assert fact_queue.prepare(local) == 1


def test_the_task_prepares_before_it_asks_any_service(db: Any, settings: Any, tmp_path: Path, monkeypatch: Any) -> None:
    settings.DATA_DIR = tmp_path
    index_builder.build(linker_from_settings.index_path(), "these", [ADA, KING, BYRON])
    facts_checkpoint()
    row = waiting()
    rung: list[str] = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    monkeypatch.setattr(tasks._links, "acquire", lambda blocking: False)
    tasks.link.run()
    row.refresh_from_db()
    assert row.stage == Reading.Stage.READ and rung == ["read", "link"]
    assert Fact(**row.results["facts"][0]) == SPOUSE


def extraction(text: str = TEXT, relation: str = "spouse") -> Extraction:
    spans = [(text.find(name), text.find(name) + len(name), kind) for name, kind in NAMES]
    mentions = tuple(ExtractedMention(*span, 0.9) for span in spans)
    return Extraction("1", text, "en", mentions, (Relation(0, 1, relation, 0.9), Relation(0, 2, "place_of_birth", 0.9)))


def test_an_edge_that_echoes_a_fact_is_marked_whichever_way_round() -> None:
    found = known_facts.marked(extraction(), [SPOUSE])
    assert [[part.kind for part in one.evidence] for one in found.relations] == [["fact"], []]
    assert found.facts == (SPOUSE,)
    turned = Fact("William King", "spouse", "Ada Lovelace", "Wikidata", "spouse")
    assert known_facts.marked(extraction(), [turned]).relations[0].evidence
    child = Fact("William King", "child", "Ada Lovelace", "Wikidata", "child")
    assert known_facts.marked(extraction(relation="father"), [child]).relations[0].evidence == ()
    for other in (
        Fact("Ada Lovelace", "spouse", "Somebody Else", "Wikidata", "spouse"),
        Fact("Ada Lovelace", "sibling", "William King", "Wikidata", "sibling"),
        Fact("Ada Lovelace", "is", "William King", "Wikidata"),
    ):
        assert not known_facts.marked(extraction(), [other]).relations[0].evidence


def test_a_date_is_echoed_by_its_year() -> None:
    text = "Ada Lovelace was born on 10 December 1815."
    mentions = (ExtractedMention(0, 12, "person"), ExtractedMention(25, 41, "time"))
    found = Extraction("1", text, "en", mentions, (Relation(0, 1, "date_of_birth", 0.9),))
    fact = Fact("Ada Lovelace", "date of birth", "1815-12-10", "Wikidata", "date_of_birth")
    assert known_facts.marked(found, [fact]).relations[0].evidence
    other = Fact("Ada Lovelace", "date of birth", "1816-12-10", "Wikidata", "date_of_birth")
    assert not known_facts.marked(found, [other]).relations[0].evidence


def test_the_pages_and_the_graph_show_repeated_facts(db: Any, local: tuple[Linker, LocalIndex], client: Any) -> None:
    facts_checkpoint()
    row = waiting()
    fact_queue.prepare(local)
    [claimed] = readings_queue.claim("reader", 10)
    assert recorder.record(claimed, known_facts.marked(extraction(), claimed.document.facts or ()))
    row.refresh_from_db()
    assert SPOUSE in [Fact(**fact) for fact in row.results["facts"]], "kept when the reading is recorded"
    assert Evidence.objects.get(kind="fact").reference["object"] == "William King"
    client.force_login(factories.make_user("viewer"))
    post = row.version.post
    page = client.get(reverse("post", args=[post.public_id])).content.decode()
    assert "repeats a fact" in page and "Facts shown to the reader" in page
    assert page.count("repeats a fact") == 1
    page = client.get(reverse("entity", args=[records.entity("Ada Lovelace").public_id])).content.decode()
    assert page.count("repeats a fact of Wikidata") == 1
    [unit] = unit_builder.posts([post.public_id])
    echoed = [quad for quad in quads.quads(unit) if quad.predicate.value == NAMESPACE + "echo"]
    assert len(echoed) == 1


def test_a_post_is_read_again_with_what_is_known_now_only_by_setting(
    db: Any, local: tuple[Linker, LocalIndex], settings: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    settings.DATA_DIR = tmp_path
    facts_checkpoint()
    waiting()
    fact_queue.prepare(None)
    [claimed] = readings_queue.claim("reader", 10)
    assert claimed.document.facts == ()
    recorder.record(claimed, extraction())
    monkeypatch.setattr(tasks, "ring", lambda lane: None)
    monkeypatch.setattr(linker_from_settings, "linker", lambda send: local[0])
    monkeypatch.setattr(linker_from_settings, "local", lambda: local)
    tasks.link.run()
    assert Link.objects.exclude(target="").exists() and not Reading.objects.filter(stage=Reading.Stage.LINK).exists()
    Link.objects.update(target="", facts=[])
    link_queue.again()
    settings.FACTS_READ_AGAIN = True
    tasks.link.run()
    again = Reading.objects.get(stage=Reading.Stage.LINK)
    assert again.inputs.startswith("facts ")
    tasks._read_again([records.entity("Ada Lovelace").pk])
    assert Reading.objects.filter(stage=Reading.Stage.LINK).count() == 1, "once is enough while one waits"
    fact_queue.prepare(local)
    [claimed] = readings_queue.claim("reader", 10)
    assert claimed.document.facts is not None and SPOUSE in claimed.document.facts


def test_whether_a_checkpoint_takes_facts_is_in_its_config(db: Any, tmp_path: Path) -> None:
    for number, (network, takes) in enumerate(
        (('{"knowledge": true}', True), ('{"knowledge": false}', False), ("7", False))
    ):
        (tmp_path / "model.safetensors").write_bytes(b"x")
        (tmp_path / "config.json").write_text(f'{{"name": "n{number}", "system": "relformer", "network": {network}}}')
        assert model_registry.register(tmp_path).facts is takes


def test_other_checkpoints_waiting_readings_are_dropped_at_either_stage(db: Any) -> None:
    old = facts_checkpoint()
    waiting()
    assert reading_requests.supersede(Reading.objects.exclude(checkpoint=records.checkpoint("new"))) == 1
    assert Reading.objects.get(checkpoint=old).stage == Reading.Stage.DROPPED


def test_a_document_without_facts_differs_from_one_with_no_known_facts() -> None:
    assert Document("1", "x").facts is None
