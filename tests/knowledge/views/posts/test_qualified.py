"""How the page of a post shows what is planned, alleged or denied, when, for how much, and what pronouns mean."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from extraction.models import Post
from knowledge.models import Assertion, Entity
from knowledge.record import current
from tests.factories import make_user
from tests.markup import markup
from tests.wire import read_wire

pytestmark = pytest.mark.django_db


@pytest.fixture
def wire() -> Post:
    return read_wire()


@pytest.fixture
def html(client: Client, wire: Post) -> str:
    client.force_login(make_user("editor"))
    return markup(client.get(f"/posts/{wire.public_id}/"))


def item(html: str, relation: str, prefix: str = "s") -> str:
    """The list item of the statement of this relation."""
    statement = Assertion.objects.filter(relation=relation)[0].statement
    [found] = re.findall(rf'<li class="quintuple[^>]* id="{prefix}-{statement.public_id}".*?</li>', html)
    return found


def test_a_plan_is_marked_by_a_word_and_a_line_and_has_its_time_and_amount(html: str) -> None:
    acquired = item(html, "acquired")
    assert acquired.startswith('<li class="quintuple counted planned"')
    assert '<span class="tag planned">planned</span>' in acquired
    assert "March 2026" in acquired
    assert "$2 billion (2 billion USD)" in acquired
    assert 'class="tag' not in item(html, "leads")


def test_a_claimant_is_named_and_leads_to_its_page(html: str) -> None:
    attacked = item(html, "attacked")
    kenya = Entity.objects.get(label="Kenya")
    assert f'alleged by <a href="/entities/{kenya.public_id}/"><bdi>Kenya</bdi></a>' in attacked
    assert "Sunday, 1 March 2026" in attacked


def test_a_denial_stands_apart_and_is_no_statement(html: str) -> None:
    stated, denied = html.split("Denied in the text", 1)
    statement = Assertion.objects.filter(relation="attacked")[0].statement
    assert f'id="d-{statement.public_id}"' in denied
    assert f'id="d-{statement.public_id}"' not in stated
    assert '<span class="tag denied">denied</span>' in item(html, "attacked", "d")
    assert "denied by" in item(html, "attacked", "d")
    assert 'Statements <span class="number">6</span>' in stated


def test_an_editor_judges_a_denial_and_not_by_it_what_is_also_asserted(client: Client, wire: Post) -> None:
    client.force_login(make_user("editor"))
    address = f"/posts/{wire.public_id}/"
    html = markup(client.get(address))
    assert "Reject the denial: Acme, sued, Bolt" in html
    assert "<form" not in item(html, "attacked", "d")
    sued = Assertion.objects.get(relation="sued").statement

    def judge(verdict: str) -> str:
        return markup(
            client.post(f"{address}review/", {"statement": str(sued.public_id), "verdict": verdict}, follow=True)
        )

    assert "Accepted: this post denies the statement." in judge("accept")
    assert "accepted by" in item(markup(client.get(address)), "sued", "d")
    assert not current.supported_statements().filter(pk=sued.pk).exists()
    judge("withdraw")
    html = judge("reject")
    assert "Rejected: this post no longer denies the statement." in html
    assert "denied</span>" in html.split("<summary>Rejected")[1]


def test_times_and_numbers_lead_to_no_page(html: str) -> None:
    inception = item(html, "inception")
    assert '<span class="end t-time"><bdi>1901</bdi>' in inception
    for value in Entity.objects.filter(type__in=("time", "number")):
        assert str(value.public_id) not in html
    assert re.search(
        r'<span class="mention t-time ends" id="m\d+" data-m="\d+" title="Time: 1 March 2026">Sunday<', html
    )


def test_pronouns_and_nominals_are_marked_quietly_and_named(html: str) -> None:
    ada = Entity.objects.get(label="Ada Obi")
    assert re.search(
        rf'<a class="mention t-person pronoun" [^>]*href="/entities/{ada.public_id}/" title="Person: Ada Obi"'
        r' aria-label="She: Ada Obi">She</a>',
        html,
    )
    assert 'class="mention t-organization nominal"' in html


def test_ends_that_are_pronouns_are_called_by_their_entity(html: str) -> None:
    met = item(html, "met")
    assert "<bdi>Ada Obi</bdi>" in met
    assert "<mark><bdi>She</bdi></mark>" in met
