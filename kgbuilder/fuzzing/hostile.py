"""The addresses of a publisher who means harm, polled and visited one by one as a feed of each would be, and feeds
from files likewise: `manage.py fuzz hostile`.

Beside each an honest feed is polled in the same round, and must not be affected. The result is then
examined as people would see it: every page about the feed and its posts, searched for what a browser would run.
"""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import lxml.html
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse
from django.utils import timezone

from extraction.crawler.parsers import sandbox
from extraction.feeds import polling
from extraction.models import Feed, Post, PostVersion, Sighting
from extraction.posts import visits
from kgbuilder.fuzzing.process_watch import Watch, watching
from kgbuilder.fuzzing.publisher import publishing
from kgbuilder.fuzzing.runner import VISITS, database_address, forget
from knowledge.record.projection_queue import mark_posts

MOST_MB = 256  # that this process may grow by meanwhile; a fetch keeps at most 10 MB, a parsed feed some times that
HONEST = (
    b"<rss version='2.0'><channel><title>Honest</title><item><title>One</title><guid>1</guid>"
    b"<description>Ada Lovelace met Charles Babbage in London.</description></item></channel></rss>"
)
SECRETS = ("root:x:0:0",)  # of files that entities name


class NoAddresses(Exception):
    """The script cannot be used; the message is a sentence for people."""


@dataclass(slots=True)
class HostileResult:
    """The result of one feed. `summary`: its error and notice, and how many posts it has. `megabytes`: by how much this
    process and its parsers grew at most. `wrong`: the failures."""

    name: str
    summary: str = ""
    seconds: float = 0.0
    megabytes: int = 0
    forbidden: int = 0
    wrong: list[str] = field(default_factory=list)


def addresses_of(script: Path) -> list[str]:
    """The paths under /hostile/ that a server's source names: keys of its dict HOSTILE, and patterns
    `["hostile", name]`. The source is read, not run. Raises NoAddresses."""
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise NoAddresses(f"{script} cannot be read as a program in Python: {error}") from error
    names = [name for node in ast.walk(tree) for name in (*_keys(node), *_pattern(node))]
    if not names:
        raise NoAddresses(f"{script} names no address under /hostile/.")
    return [f"/hostile/{name}" for name in dict.fromkeys(names)]


def _keys(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Assign(targets=[ast.Name(id="HOSTILE")], value=ast.Dict(keys=keys)):
            yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))


def _pattern(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.MatchSequence):
        match [getattr(one, "value", None) for one in node.patterns]:
            case [ast.Constant(value="hostile"), ast.Constant(value=str() as name)]:
                yield name


@contextmanager
def served(script: Path) -> Iterator[str]:
    """The origin of the script's server, started with a port of its own. Raises NoAddresses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(script), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            if not address.startswith("http://"):
                raise NoAddresses(f"{script} did not print its address, but: {address or 'nothing'}")
            yield f"http://{urlsplit(address).netloc}"
        finally:
            server.kill()


def run(origin: str, paths: Sequence[str], files: Mapping[str, bytes]) -> Iterator[HostileResult]:
    """A row for each address and each file, as they are done. On the connected database: give it a scratch one."""
    with tempfile.TemporaryDirectory(prefix="kg-hostile-") as folder, publishing() as own, publishing() as honest:
        honest.content, honest.headers = HONEST, {"Content-Type": "application/rss+xml"}
        hosts = [("127.0.0.1", one.server_port) for one in (own, honest)]
        hosts += [("127.0.0.1", urlsplit(origin).port or 80)] if origin else []
        chosen = {"FETCH_ALLOW": tuple(hosts), "FETCH_HOST_SECONDS": 0.001, "MEDIA_ROOT": Path(folder)}
        chosen |= {"ALLOWED_HOSTS": ["testserver"], "SECURE_SSL_REDIRECT": False}
        with override_settings(**chosen), watching({*hosts, *database_address()}) as watch:
            client = _editor()
            good = f"{honest.here}/feed"
            for path in paths:
                yield _tried(path, f"{origin}{path}", good, client, watch)
            for name, content in files.items():
                own.content, own.headers = content, {"Content-Type": "application/rss+xml"}
                yield _tried(name, f"{own.here}/feed", good, client, watch)


def _tried(name: str, url: str, good: str, client: Client, watch: Watch) -> HostileResult:
    row = HostileResult(name)
    feed = Feed.objects.create(url=url, due_at=timezone.now())
    other = Feed.objects.create(url=good, due_at=timezone.now())
    before = _peak(reset=True)
    began = time.monotonic()
    try:
        polling.poll_due(10, mark=mark_posts)
        visits.visit_due(VISITS, mark=mark_posts)
        row.seconds, row.megabytes = time.monotonic() - began, max(0, _peak() - before)
        for one in (feed, other):
            one.refresh_from_db()
        posts = Sighting.objects.filter(feed=feed).count()
        counted = f"{posts} post{'' if posts == 1 else 's'}" if posts or not (feed.error or feed.notice) else ""
        row.summary = " ".join(filter(None, (counted, feed.error, feed.notice)))
        row.wrong = [*_bounds(row, posts), *_page_errors(feed, client), *_undisturbed(other)]
    except Exception as error:  # the failure that the run searches for
        row.wrong.append(f"{type(error).__name__}: {error}"[:500])
    row.forbidden = len(watch.forbidden)
    row.wrong += [*watch.errors, *(f"Asked {address}." for address in watch.forbidden)]
    watch.errors.clear()
    watch.forbidden.clear()
    forget()
    return row


def _bounds(row: HostileResult, posts: int) -> list[str]:
    """One fetch of the feed and one of each page, its robots.txt and picture, with the parsing."""
    patience = (1 + 3 * min(posts, VISITS)) * (settings.FETCH_SECONDS + 1) + (1 + VISITS) * 2 * sandbox.SECONDS
    late = [f"It took {row.seconds:.1f} seconds, and {patience:.0f} is the most."] if row.seconds > patience else []
    return late + ([f"It took {row.megabytes} MB."] if row.megabytes > MOST_MB else [])


def _undisturbed(other: Feed) -> list[str]:
    fine = not other.error and Sighting.objects.filter(feed=other).count() == 1
    return [] if fine else [f"The feed beside it was disturbed: {other.error or 'its post is not there'}"]


def _page_errors(feed: Feed, client: Client) -> list[str]:
    """What is wrong with the pages about it: an error that they do not show, anything that a browser would run, a
    secret."""
    posts = Post.objects.filter(sightings__feed=feed)
    pages = [reverse("feeds"), reverse("feed", args=[feed.pk]), reverse("posts"), reverse("status")]
    pages += [reverse("post", args=[post.public_id]) for post in posts[:VISITS]]
    wrong = []
    for page in pages:
        answer = client.get(page)
        if answer.status_code != 200:
            wrong.append(f"{page} answers {answer.status_code}.")
            continue
        content = answer.content.decode()
        wrong += [f"{page} holds {what}." for what in runnable(content)]
        shown = _words(lxml.html.fromstring(content)) if page == pages[1] else ""
        wrong += [
            f"{page} does not show: {one}" for one in (feed.error, feed.notice) if shown and _words(one) not in shown
        ]
    if not (posts or feed.error or feed.notice):
        wrong.append("The feed has no posts, and no page gives the reason.")
    texts = [feed.title, feed.error, *PostVersion.objects.filter(post__in=posts).values_list("text", flat=True)]
    return wrong + [f"It holds {secret!r}." for secret in SECRETS if any(secret in text for text in texts)]


def runnable(page: str) -> list[str]:
    """Everything in a page that a browser would run and that is no file of our own."""
    found = []
    for node in lxml.html.document_fromstring(page).iter():
        if not isinstance(node.tag, str):
            continue
        if node.tag in ("iframe", "object", "embed", "base") or (
            node.tag == "script" and not str(node.get("src", "")).startswith("/static/") and not _data(node)
        ):
            found.append(f"<{node.tag}>")
        for name, value in node.attrib.items():
            scheme = str(value).strip().lower().partition(":")[0]
            if str(name).startswith("on") or (name in ("href", "src", "action") and scheme in ("javascript", "data")):
                found.append(f"{name}={str(value)[:40]!r}")
    return found


def _data(node: lxml.html.HtmlElement) -> bool:
    return node.get("type") in ("application/json", "application/ld+json")


def _words(text: str | lxml.html.HtmlElement) -> str:
    content = text if isinstance(text, str) else text.text_content()
    return " ".join(str(content).split())


def _editor() -> Client:
    user, created = User.objects.get_or_create(username="hostile")
    if created:
        user.groups.set(Group.objects.filter(name="editor"))
    client = Client()
    client.force_login(user)
    return client


def _peak(*, reset: bool = False) -> int:
    """The most memory that this process and its parsers have held since the last reset, in MB; 0 where
    the system does not report it."""
    parsers = [Path(f"/proc/{one.process.pid}") for one in sandbox.idle()]
    return sum(_held(process, reset) for process in (Path("/proc/self"), *parsers))


def _held(process: Path, reset: bool) -> int:
    try:
        if reset:
            (process / "clear_refs").write_text("5")
        status = (process / "status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
