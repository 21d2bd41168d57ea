"""The pages in a real browser: their scripts, no requests to other hosts, and no violations of the policy."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from extraction.models import Feed, Post
from knowledge.graphs import projector
from knowledge.models import Entity, MentionCorrection, Review
from tests.conftest import chromium
from tests.factories import PASSWORD, make_post, make_user, read_post
from tests.newsroom import open_newsroom
from tests.servers.sparql import TOKEN, Server, serving
from tests.wire import read_wire

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Visitor:
    """The browser tab of a signed-in editor, which records errors and requests to other hosts."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.page = browser.new_context(**options).new_page()
        self.errors: list[str] = []
        self.other_hosts: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._record_error)
        self.page.on("request", self._record_request)
        self.page.goto(f"{address}/sign-in/")
        self.page.fill("#id_username", "edith")
        self.page.fill("#id_password", PASSWORD)
        self.page.click("main button.primary")
        self.page.wait_for_url(f"{address}/")

    def _record_error(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _record_request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.other_hosts.append(request.url)

    def go(self, path: str) -> Any:
        self.page.goto(f"{self.address}{path}")
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # The event loop of Playwright runs in this thread, in which Django otherwise refuses to use the database.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def newsroom(settings: Any, tmp_path: Any) -> dict[str, Post]:
    settings.MEDIA_ROOT = tmp_path
    make_user("editor", "edith")
    return open_newsroom()


@pytest.fixture
def visitor(browser: Any, live_server: Any, newsroom: dict[str, Post]) -> Iterator[Visitor]:
    tab = Visitor(browser, live_server.url, viewport={"width": 1280, "height": 900})
    yield tab
    tab.page.context.close()
    assert tab.other_hosts == []
    assert tab.errors == []


def test_pointing_at_a_statement_marks_its_words(visitor: Visitor, newsroom: dict[str, Post]) -> None:
    page = visitor.go(f"/posts/{newsroom['moon'].public_id}/")
    first = page.locator(".quintuple").first
    assert page.locator(".mention.lit").count() == 0
    first.hover()
    ends = first.get_attribute("data-ends").split()
    assert page.locator(".mention.lit").evaluate_all("all => all.map(e => e.id)") == [f"m{end}" for end in ends]
    page.mouse.move(0, 0)
    assert page.locator(".mention.lit").count() == 0
    first.locator("a.words").focus()
    assert page.locator(".mention.lit").count() == 2
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"#m{ends[0]}$"))
    assert page.locator(".mention.kept").count() == 2
    assert page.locator(f"#m{ends[0]}").evaluate("e => e.getBoundingClientRect().top") < 900


def test_evidence_leads_to_its_statement_and_its_words(visitor: Visitor, newsroom: dict[str, Post]) -> None:
    nasa = Entity.objects.get(label="NASA")
    page = visitor.go(f"/entities/{nasa.public_id}/")
    page.locator(".source-quote a", has_text="Apollo 11").last.click()
    page.wait_for_url(re.compile("#s-"))
    item = page.locator(".quintuple:target")
    kept = page.locator(".mention.kept").evaluate_all("all => all.map(e => e.dataset.m)")
    assert set(item.get_attribute("data-ends").split()) == set(kept)
    for place in (item, page.locator(".mention.kept").first):
        top, bottom = place.evaluate("e => { const b = e.getBoundingClientRect(); return [b.top, b.bottom]; }")
        assert top >= 0 and bottom <= 900


def test_a_menu_closes_on_escape_and_on_a_click_beside_it(visitor: Visitor) -> None:
    page = visitor.go("/")
    menu = page.locator("details.menu")
    for close in (lambda: page.keyboard.press("Escape"), lambda: page.locator("main").click(position={"x": 5, "y": 5})):
        menu.locator("summary").click()
        assert menu.get_attribute("open") is not None
        close()
        assert menu.get_attribute("open") is None


def test_times_are_the_readers_own(browser: Any, live_server: Any, newsroom: dict[str, Post]) -> None:
    far = Visitor(browser, live_server.url, timezone_id="Pacific/Auckland", locale="en-GB")
    time = far.go(f"/feeds/{Feed.objects.get(title='Space Desk').pk}/").locator("time.moment").first
    assert time.get_attribute("datetime") == "2026-03-02T12:00:00+00:00"
    assert (time.inner_text(), time.get_attribute("title")) == ("3 Mar 2026, 01:00", "2 Mar 2026, 12:00 UTC")
    assert "Pacific/Auckland" in far.page.locator("#zone").inner_text()
    far.page.context.close()


def test_an_editor_rejects_with_the_keyboard(visitor: Visitor, newsroom: dict[str, Post]) -> None:
    page = visitor.go(f"/posts/{newsroom['curie'].public_id}/")
    page.locator(".quintuple button.reject").first.focus()
    page.keyboard.press("Enter")
    page.locator(".toast.shown").wait_for()
    assert Review.objects.get().verdict == "reject"
    assert page.locator(".quintuple.rejected").count() == 1


SELECT = """words => {
  const walker = document.createTreeWalker(document.querySelector(".body"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const at = node.data.indexOf(words);
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + words.length);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return;
  }
}"""


def test_an_editor_corrects_by_keys_alone_and_keeps_the_place(visitor: Visitor, newsroom: dict[str, Post]) -> None:
    page = visitor.go(f"/posts/{newsroom['curie'].public_id}/")
    page.evaluate("window.stays = true")
    toast = page.locator(".toast.shown")
    for key in ("j", "j", "a"):
        page.keyboard.press(key)
    page.get_by_text("Accepted: the statement is in the graph").wait_for()
    assert page.locator(".quintuple.current .review-state").inner_text() == "accepted"
    page.keyboard.press("c")
    page.select_option("dialog[open] #id_factuality", "alleged")
    page.keyboard.press("Control+Enter")
    page.locator(".quintuple.current .review-state.corrected").wait_for()
    page.evaluate(SELECT, "husband")
    page.keyboard.press("w")
    page.select_option("dialog[open] #id_type", "role")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Corrected mentions").wait_for()
    assert MentionCorrection.objects.get().words == "husband"
    for expected in ("correction", "verdict", "verdict"):
        page.keyboard.press("Control+z")
        page.get_by_text(f"Your last {expected} was undone.").wait_for()
        toast.evaluate("e => { e.textContent = ''; }")
    assert not Review.objects.filter(withdrawn_at__isnull=True).exists()
    assert page.evaluate("window.stays"), "the page was never left"


def test_an_editor_works_through_the_queue_by_keys(visitor: Visitor) -> None:
    page = visitor.go("/review/")
    page.keyboard.press("n")
    for key in "aras":
        page.locator(".review-card").wait_for()
        shown = page.input_value("[name=statement]")
        page.keyboard.press(key)
        page.wait_for_function("was => document.querySelector('[name=statement]')?.value !== was", arg=shown)
    assert sorted(Review.objects.values_list("verdict", flat=True)) == ["accept", "accept", "reject"]
    page.keyboard.press("u")
    page.get_by_text("Your last verdict was undone.").wait_for()


def test_the_first_tab_stop_skips_to_the_content(visitor: Visitor) -> None:
    page = visitor.go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(browser: Any, live_server: Any, newsroom: dict[str, Post], scheme: str) -> None:
    phone = Visitor(browser, live_server.url, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    nasa, wire = Entity.objects.get(label="NASA"), read_wire()
    posts = [f"/posts/{post.public_id}/" for post in (newsroom["moon"], wire)]
    entities = [f"/entities/{one.public_id}/" for one in (nasa, Entity.objects.get(label="Mombasa"))]
    for path in ("/", *posts, "/entities/", *entities, "/feeds/", "/status/", "/review/", "/review/figures/"):
        page = phone.go(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    assert phone.errors == []
    phone.page.context.close()


def test_neighbours_are_drawn_without_overlap(visitor: Visitor) -> None:
    nasa = Entity.objects.get(label="NASA")
    page = visitor.go(f"/entities/{nasa.public_id}/")
    boxes = page.locator(".drawing rect").evaluate_all(
        "all => all.map(e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; })"
    )
    assert len(boxes) == 7
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (one, other)
    overflowing = page.locator(".drawing a").evaluate_all(
        """all => all.filter(a => { const box = a.querySelector("rect").getBoundingClientRect();
             return [...a.querySelectorAll("text")].some(t => { const b = t.getBoundingClientRect();
               return b.left < box.left || b.right > box.right; }); }).length"""
    )
    assert overflowing == 0
    page.locator(".drawing a").first.click()
    page.wait_for_url(re.compile("/entities/(?!" + str(nasa.public_id) + ")"))


def test_a_line_is_broken_where_nothing_is_stated(visitor: Visitor) -> None:
    wire = read_wire()
    broken = "document.querySelector('.sigma-gaps').getContext('2d').getImageData(0, 0, 2000, 2000).data.some(Boolean)"
    for label, expected in (("Mombasa", True), ("Kofi Mensah", False)):
        page = visitor.go(f"/entities/{Entity.objects.get(label=label).public_id}/neighbourhood/")
        page.wait_for_selector("#explorer[data-settled]")
        page.evaluate("entityGraph.sigma.refresh()")  # draws at once, not with the next frame
        assert page.evaluate(broken) == expected, label
    page = visitor.go(f"/posts/{wire.public_id}/")
    styles = page.locator(".quintuple .line").evaluate_all("all => all.map(e => getComputedStyle(e).borderTopStyle)")
    assert set(styles) == {"solid", "dashed", "dotted", "double"}
    assert visitor.errors == []


def test_both_directions_of_a_pair_have_labels_of_their_own(visitor: Visitor) -> None:
    post = make_post("Ann founded Acme, which employs Ann")
    names = [("Ann", "person"), ("Acme", "organization")]
    read_post(post, names, [("Ann", "employer", "Acme", 0.9), ("Acme", "founded_by", "Ann", 0.9)])
    ann = Entity.objects.get(label="Ann")
    page = visitor.go(f"/entities/{ann.public_id}/neighbourhood/")
    page.wait_for_selector("#explorer[data-settled]")
    page.evaluate("entityGraph.sigma.refresh()")
    labels = page.evaluate("entityGraph.drawnLabels")
    assert sorted(one["text"] for one in labels) == ["employer", "founded by"]
    one, other = labels
    apart = abs(one["aside"]) + abs(other["aside"])
    assert one["aside"] * other["aside"] > 0, "each on the left of its own direction, so on opposite sides of the line"
    assert apart > 13, "by more than the height of their letters"


def test_text_contrasts_with_its_background(visitor: Visitor, newsroom: dict[str, Post]) -> None:
    """Level AA of WCAG: 4.5 to 1 for all visible text, in both colour schemes."""
    nasa, wire = Entity.objects.get(label="NASA"), read_wire()
    mombasa = Entity.objects.get(label="Mombasa")
    for scheme in ("light", "dark"):
        visitor.page.emulate_media(color_scheme=scheme)
        for path in (
            "/",
            f"/posts/{newsroom['moon'].public_id}/",
            f"/posts/{wire.public_id}/",
            f"/entities/{nasa.public_id}/",
            f"/entities/{mombasa.public_id}/",
            f"/entities/{mombasa.public_id}/neighbourhood/",
            "/feeds/",
            "/status/",
        ):
            weak = visitor.go(path).evaluate(CONTRAST)
            assert weak == [], (scheme, path)
    # The check itself can fail.
    visitor.page.evaluate("document.querySelector('h1').style.color = 'rgb(120, 120, 120)'")
    assert len(visitor.page.evaluate(CONTRAST)) == 1


def test_a_query_runs_in_the_editor(
    visitor: Visitor, server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = server.socket, TOKEN
    store = server.store()
    store.clear()
    assert projector.run("rdf", opened=store).done > 0
    page = visitor.go("/sparql/")
    page.locator(".yasgui .CodeMirror").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".yasr table tbody tr").first.wait_for()
    assert "Sally Ride" in page.locator(".yasr").inner_text()
    page.get_by_role("link", name="Number of statements per relation").click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".yasr td", has_text="employer").first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == "answer.csv"
    assert "employer" in download.value.path().read_text()


def test_a_shared_query_is_the_query_and_nothing_else(visitor: Visitor) -> None:
    query = 'SELECT ?it\'s WHERE { ?a ?b "100 %&#" }'
    page = visitor.go("/sparql/")
    page.locator(".yasgui .CodeMirror").wait_for()
    page.evaluate("query => document.querySelector('.CodeMirror').CodeMirror.setValue(query)", query)
    page.locator(".yasqe_share").click()
    popup = page.locator(".yasqe_sharePopup")
    address = popup.locator("input").input_value()
    token = page.locator("#ask [name=csrfmiddlewaretoken]").input_value()
    popup.get_by_role("button", name="cURL").click()
    command = popup.locator("input").input_value()
    for shared in (address, command):
        assert token not in shared and "csrf" not in shared.lower() and "sessionid" not in shared
    assert shlex.split(command)[-1] == f"query={query}" and "/api/v1/sparql" in command
    page.goto(address)
    assert page.evaluate("consoleQuery()") == query
    # An address that YASGUI made earlier shows its query too, and loses what it held beside it.
    page.goto(f"{visitor.address}/sparql/?saved=#query={quote('ASK {}')}&headers={quote(json.dumps({'X': 'secret'}))}")
    page.reload()
    assert page.evaluate("consoleQuery()") == "ASK {}"
    assert "secret" not in page.url


def test_the_editor_names_its_parts(visitor: Visitor) -> None:
    page = visitor.go("/sparql/")
    page.get_by_role("textbox", name="Query").first.wait_for()
    page.get_by_role("button", name="New tab").click()
    assert page.get_by_role("tab").count() == 2
    assert page.locator("[role=tablist] > :not([role=presentation]):visible").count() == 0
    page.locator(".tabPanel.active .CodeMirror textarea[aria-label=Query]").wait_for(state="attached")


CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const over = (top, under) => { const a = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)); };
  const ground = (e) => { const layers = [];
    for (let n = e; n; n = n.parentElement) layers.push(parse(getComputedStyle(n).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
  const light = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const weak = [];
  const walker = document.createTreeWalker(document.querySelector("body"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.checkVisibility()) continue;
    if (e.closest(".visually-hidden, script, svg, .skip")) continue;
    const back = ground(e), text = over(parse(getComputedStyle(e).color), back);
    const [a, b] = [light(text), light(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) weak.push([walker.currentNode.data.trim().slice(0, 40), e.className,
      ((a + 0.05) / (b + 0.05)).toFixed(2)].join(" | "));
  }
  return [...new Set(weak)];
}"""
