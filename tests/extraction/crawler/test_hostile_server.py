"""`manage.py fuzz hostile`: a server's hostile addresses, found in its source, and what comes of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.core.management.base import CommandError

from extraction.crawler import addresses
from extraction.feeds import polling
from kgbuilder.fuzzing import hostile

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
SERVER = """
import argparse
from http.server import BaseHTTPRequestHandler, HTTPServer

HOSTILE = {
    "script.xml": "<rss version='2.0'><channel><title>&lt;script&gt;alert(1)&lt;/script&gt;</title><item>"
    "<title>&lt;img src=x onerror=alert(1)&gt;</title><guid>1</guid><link>javascript:alert(1)</link>"
    "<description>Ada Lovelace met Charles Babbage.</description></item></channel></rss>",
    "empty.xml": "",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        match self.path.strip("/").split("/"):
            case ["hostile", "inward"]:
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:9/")
                self.end_headers()
            case ["hostile", name]:
                body = HOSTILE[name].encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            case _:
                self.send_error(404)


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
server = HTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
print(f"http://127.0.0.1:{server.server_port}/feeds.opml", flush=True)
server.serve_forever()
"""


@pytest.fixture(autouse=True)
def editors() -> None:
    """The group of the user who opens the pages; a test that emptied the database before deleted it."""
    group, _ = Group.objects.get_or_create(name="editor")
    group.permissions.set(Permission.objects.filter(codename__startswith="view_"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return path


def tried(script: Path, **files: bytes) -> dict[str, hostile.HostileResult]:
    with hostile.served(script) as origin:
        rows = list(hostile.run(origin, hostile.addresses_of(script), files))
    return {row.name.removeprefix("/hostile/"): row for row in rows}


def test_each_address_has_a_reported_outcome(script: Path) -> None:
    rows = tried(script, honest=hostile.HONEST)
    assert {name: row.wrong for name, row in rows.items()} == {
        name: [] for name in ("script.xml", "empty.xml", "inward", "honest")
    }
    assert rows["script.xml"].summary.startswith("1 post") and rows["honest"].summary.startswith("1 post")
    assert rows["empty.xml"].summary == "The feed is empty." and "FETCH_ALLOW" in rows["inward"].summary


def test_what_is_wrong_is_seen(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "permitted", lambda host, port, found, allow: list(found))
    row = tried(script)["inward"]
    assert row.forbidden and "Asked 127.0.0.1 port 9." in row.wrong
    monkeypatch.setattr(polling, "poll_due", lambda limit, **options: polling.Polled())
    assert {sentence.split(":")[0] for row in tried(script).values() for sentence in row.wrong} >= {
        "The feed has no posts, and no page gives the reason.",
        "The feed beside it was disturbed",
    }


@pytest.mark.parametrize(
    "part",
    [
        "<script>alert(1)</script>",
        "<script src='https://elsewhere.example/x.js'></script>",
        "<img src=x onerror=alert(1)>",
        "<a href=' JavaScript:alert(1)'>x</a>",
        "<iframe src='/x'></iframe>",
    ],
)
def test_what_a_browser_would_run_is_seen(part: str) -> None:
    assert hostile.runnable(f"<html><body><p>{part}</p></body></html>")


def test_our_own_scripts_and_words_about_scripts_are_none() -> None:
    ours = "<script src='/static/x.js'></script><script type='application/json'>{}</script><a href='/x'>y</a>"
    assert hostile.runnable(f"<html><body>{ours}&lt;script&gt;alert(1)&lt;/script&gt;</body></html>") == []


def test_a_script_without_such_addresses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("print(1)")
    for options in ({"replay": tmp_path / "x.py"}, {"replay": tmp_path / "none.py"}, {}):
        with pytest.raises(CommandError, match=r"hostile|cannot be read|Name a server"):
            call_command("fuzz", "hostile", **options)
