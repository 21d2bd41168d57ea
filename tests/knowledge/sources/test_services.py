"""Linking by Wikidata and DBpedia over HTTP: their answers arrive, and their faults only delay links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from extraction.models import Host
from knowledge import tasks
from knowledge.linking import fact_comparison, link_queue, linker_from_settings, source_status
from knowledge.models import KnowledgeService, Link, ServiceAnswer
from knowledge.sources.cached_client import FAILURES, Remote
from knowledge.sources.protocol import SourceUnavailable
from tests import factories, records
from tests.servers import knowledge_services
from tests.servers.knowledge_services import Services
from tests.servers.web import reply

pytestmark = [pytest.mark.integration, pytest.mark.django_db]
TEXT = "Ada Lovelace, the English mathematician, met Charles Babbage and wed William King."
NAMES = [("Ada Lovelace", "person"), ("William King", "person")]


@pytest.fixture
def services() -> Iterator[Services]:
    with knowledge_services.serving() as made:
        yield made


@pytest.fixture
def both(services: Services, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Both services are set, without waiting between two tries."""
    for name, value in services.settings(("wikidata", "dbpedia")).items():
        setattr(settings, name, value)
    settings.DATA_DIR = tmp_path
    settings.CONTACT_URL = "https://kg.example/about"
    monkeypatch.setattr(tasks, "SERVICE_SECONDS", 0.5)
    monkeypatch.setattr("knowledge.sources.cached_client.FIRST_WAIT", 0.0)
    records.checkpoint()
    records.read(records.post(TEXT), NAMES, [("Ada Lovelace", "spouse", "William King")])
    return services


def look_up() -> link_queue.LookedUp:
    linker = linker_from_settings.linker(tasks.send)
    assert linker is not None
    return link_queue.look_up(linker, linker_from_settings.NAME, 10, linker_from_settings.encyclopedias(tasks.send))


def ada() -> Link:
    return Link.objects.get(entity__label="Ada Lovelace")


def later(days: int = 2) -> None:
    """Let every waiting time pass."""
    past = timezone.now() - timedelta(seconds=1)
    Link.objects.exclude(error="").update(due_at=past)
    KnowledgeService.objects.filter(open_until__isnull=False).update(open_until=past)
    Host.objects.update(next_request_at=past)


def test_what_they_know_arrives_with_names(both: Services, client: Any) -> None:
    assert look_up().failed == 0
    link = ada()
    assert (link.target, link.source, link.error, link.due_at) == ("Q7259", "wikidata", "", None)
    facts = {(name, value): label for name, value, label, *_ in link.facts}
    assert facts["P26", "Q3"] == "William King", "in English, not in Spanish"
    assert {("P569", "1815-12-10T00:00:00Z"), ("P570", "1852-00-00T00:00:00Z")} <= facts.keys()
    assert link.categories == ["mathematician", "English mathematicians"]
    assert link.abstract == "Ada Lovelace was an English mathematician and writer."
    assert link.addresses["dbpedia"] == "http://dbpedia.org/resource/Ada_Lovelace"
    agents = {headers["user-agent"] for _, headers in both.server.asked}
    assert agents == {"kgbuilder/0.1 (+https://kg.example/about)"}
    client.force_login(factories.make_user("editor"))
    page = client.get(reverse("entity", args=[link.entity.public_id])).content.decode()
    assert "Anne Isabella Byron" in page and "English mathematicians" in page and "mathematician and writer" in page
    Link.objects.filter(entity__label="William King").update(target="Q3")
    ends = (link.entity_id, "spouse", records.entity("William King").pk)
    assert fact_comparison.agreements([ends])[ends] == fact_comparison.StatementComparison(
        "known", "Wikidata", "William King", "Q3", "Q7259"
    )


def test_dbpedias_facts_are_added_to_wikidatas_and_compared_too(both: Services, client: Any) -> None:
    text = "Ada Lovelace, daughter of William King, lived in London."
    relations = [("Ada Lovelace", "father", "William King"), ("Ada Lovelace", "residence", "London")]
    records.read(records.post(text), [*NAMES, ("London", "location")], relations)
    look_up()
    link = ada()
    assert [row for row in link.facts if len(row) > 3] == [
        ["P22", "Q4", "A Poet", "dbo:father"],
        ["P551", "Q84", "London", "dbo:residence"],
    ], "facts that Wikidata has too, values without an item and properties without a relation are left out"
    assert ["P569", "1815-12-10T00:00:00Z", ""] in link.facts and ["P26", "Q3", "William King"] in link.facts
    Link.objects.filter(entity__label="London").update(target="Q84")
    Link.objects.filter(entity__label="William King").update(target="Q3")
    ends = [(link.entity_id, relation, records.entity(tail).pk) for _, relation, tail in relations]
    found, address = fact_comparison.agreements(ends), "http://dbpedia.org/resource/Ada_Lovelace"
    assert found[ends[0]] == fact_comparison.StatementComparison("conflict", "DBpedia", "A Poet", "Q4", address)
    assert found[ends[1]] == fact_comparison.StatementComparison("known", "DBpedia", "London", "Q84", address)
    client.force_login(factories.make_user("editor"))
    page = client.get(reverse("entity", args=[link.entity.public_id])).content.decode()
    assert "in DBpedia</span>" in page and "conflicts with DBpedia: <bdi>A Poet</bdi>" in page


def test_facts_of_both_count_as_wikidatas(both: Services, settings: Any) -> None:
    settings.KNOWLEDGE = ("dbpedia",)
    look_up()
    assert ["P26", "Q3", "Will King", "dbo:spouse"] in ada().facts
    settings.KNOWLEDGE = ("wikidata", "dbpedia")
    link_queue.again()
    look_up()
    assert ["P26", "Q3", "William King"] in ada().facts
    assert not [row for row in ada().facts if row[0] == "P26" and len(row) > 3]


def test_answers_are_kept_and_requested_again_when_they_are_old(both: Services) -> None:
    look_up()
    asked = len(both.server.asked)
    link_queue.again()
    look_up()
    assert len(both.server.asked) == asked
    ServiceAnswer.objects.update(asked_at=timezone.now() - timedelta(days=31))
    link_queue.again()
    look_up()
    assert len(both.server.asked) == 2 * asked


def test_an_old_answer_is_used_where_the_service_is_unavailable(both: Services) -> None:
    look_up()
    ServiceAnswer.objects.update(asked_at=timezone.now() - timedelta(days=31))
    both.break_all(reply(500))
    link_queue.again()
    assert look_up().failed == 0
    assert (ada().target, ada().error) == ("Q7259", "")


@pytest.mark.parametrize("fault", knowledge_services.FAULTS)
def test_after_any_fault_linking_continues_and_retries_later(both: Services, client: Any, fault: str) -> None:
    both.break_all(knowledge_services.FAULTS[fault]())
    assert look_up().failed == 2
    assert link_queue.degraded().count() == 2
    link = ada()
    assert link.target == "" and link.due_at is not None and link.due_at > timezone.now()
    client.force_login(factories.make_user("editor"))
    page = client.get(reverse("status")).content.decode()
    assert "Entities with incomplete links" in page and "Wikidata: " in page
    both.faults = {}
    later()
    look_up()
    assert ada().target == "Q7259"
    assert not link_queue.degraded().exists()
    assert not KnowledgeService.objects.exclude(failures=0).exists()


def test_a_link_is_kept_where_only_its_details_are_unavailable(both: Services) -> None:
    both.faults = {"/dbpedia": [reply(503)] * 50, "/wdqs": [reply(503)] * 50}
    look_up()
    link = ada()
    assert (link.target, link.abstract) == ("Q7259", "")
    assert "DBpedia" in link.error and "Query Service" in link.error
    both.faults = {}
    later()
    look_up()
    assert (ada().abstract[:12], ada().error) == ("Ada Lovelace", "")
    assert ["P26", "Q3", "William King"] in ada().facts


def test_where_one_source_has_no_candidate_the_next_is_searched(both: Services, settings: Any) -> None:
    records.read(records.post("Charles Babbage, an English polymath."), [("Charles Babbage", "person")])
    look_up()
    link = Link.objects.get(entity__label="Charles Babbage")
    assert [one["id"] for one in link.candidates] == ["Q46633"]
    assert link.source == "dbpedia"


def test_a_host_that_asks_for_a_pause_gets_it(both: Services) -> None:
    both.faults = {"/w/api.php": [knowledge_services.too_many("3600")]}
    look_up()
    asked = both.asked("/w/api.php")
    assert asked == 1, "not asked again, nor for the other entity"
    assert "not used until" in Link.objects.get(entity__label="William King").error
    later()
    look_up()
    assert ada().target == "Q7259"


def test_a_short_pause_is_waited_out(both: Services) -> None:
    waited: list[float] = []
    both.faults = {"/w/api.php": [knowledge_services.too_many("3"), knowledge_services.maxlag()]}
    asker = Remote(tasks.send, timedelta(days=1), waited.append)
    url = f"{both.server.url('/w/api.php')}?action=wbgetentities&ids=Q7259&format=json"
    Host.objects.all().delete()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("extraction.crawler.politeness.hold", lambda url, seconds: None)
        found = asker.ask("Wikidata", url, "application/json", lambda answer: len(json.loads(answer.content)))
    assert (found, waited) == (1, [3.0])


def test_the_circuit_opens_lets_one_through_later_and_closes(both: Services) -> None:
    asker = Remote(tasks.send, timedelta(days=1), lambda seconds: None)

    def ask(number: int) -> Any:
        address = f"{both.server.url('/wdqs')}?query={number}"
        return asker.ask("Wikidata", address, "*/*", lambda answer: answer.content.decode())

    both.faults = {"/wdqs": [reply(500)] * 100}
    for number in range(FAILURES):
        with pytest.raises(SourceUnavailable, match="500"):
            ask(number)
    asked = both.asked("/wdqs")
    with pytest.raises(SourceUnavailable, match="not used until"):
        ask(100)
    assert both.asked("/wdqs") == asked, "an open circuit asks nobody"
    assert source_status.standing().state == "missing" and "Wikidata is unavailable" in source_status.standing().message
    first = KnowledgeService.objects.get().open_until
    later()
    with pytest.raises(SourceUnavailable, match="500"):
        ask(101)
    second = KnowledgeService.objects.get().open_until
    assert first and second and second - timezone.now() > timedelta(seconds=100), "longer, the more often it opened"
    later()
    both.faults = {"/wdqs": [reply(200, "here")] * 100}
    assert (ask(102), ask(103)) == ("here", "here")
    assert KnowledgeService.objects.get().open_until is None


def test_a_refused_request_does_not_count_against_the_service(both: Services) -> None:
    asker = Remote(tasks.send, timedelta(days=1), lambda seconds: None)
    for number in range(2 * FAILURES):
        with pytest.raises(SourceUnavailable):
            asker.ask("DBpedia", f"{both.server.url('/dbpedia')}?query=NONSENSE{number}", "*/*", lambda answer: 1)
    service = KnowledgeService.objects.get()
    assert (service.failures, service.open_until) == (0, None)
    assert both.asked("/dbpedia") == 2 * FAILURES, "nor is it asked twice"


@pytest.mark.parametrize("name", ['"', "> ?x", "a" * 100_000, "\x00", "{ } \\ ' \n", "名" * 200, "O'Brien & Söhne"])
def test_no_name_is_read_as_a_query(both: Services, name: str) -> None:
    for source in linker_from_settings.encyclopedias(tasks.send):
        assert source.search(name, 10) == []  # type: ignore[attr-defined]
    assert not KnowledgeService.objects.exclude(error="").exists()


def test_services_hold_no_more_than_their_share_of_the_worker(both: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "ring", lambda lane: None)
    while tasks._links.acquire(blocking=False):
        pass
    try:
        tasks.link()
        assert both.server.asked == []
    finally:
        tasks._links.release()
        tasks._links.release()
    tasks.link()
    assert ada().target == "Q7259"


def test_the_index_alone_sends_no_request(both: Services, settings: Any) -> None:
    settings.KNOWLEDGE = ("index",)
    look_up()
    assert both.server.asked == []
