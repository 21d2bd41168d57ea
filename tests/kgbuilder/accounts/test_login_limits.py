"""Sign-ins are limited, passwords of feeds are encrypted, and only a named proxy is trusted."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from extraction.crawler import canonical_urls, http_client
from extraction.crawler.parsers import feed_parser
from extraction.feeds import polling, subscriptions
from extraction.models import Feed
from kgbuilder.accounts import login_limits
from kgbuilder.conf import encrypted_field
from kgbuilder.conf.environment import ROOT
from kgbuilder.models import SignInFailure
from kgbuilder.supervision import logs
from knowledge.models import Event
from knowledge.record.projection_queue import mark_posts
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def sign_in(client: Client, name: str, password: str, address: str = "192.0.2.1", url: str = "/sign-in/") -> bool:
    client.post(url, {"username": name, "password": password}, REMOTE_ADDR=address)
    signed_in = "_auth_user_id" in client.session
    client.logout()
    return signed_in


@pytest.mark.parametrize("url", ["/sign-in/", "/admin/login/"])
def test_after_some_failures_the_right_password_has_to_wait(client: Client, url: str) -> None:
    user = make_user("admin", "vera")
    user.is_staff = True
    user.save()
    for _ in range(login_limits.MOST_OF_NAME):
        assert not sign_in(client, "vera", "wrong", url=url)
    assert not sign_in(client, "VERA", PASSWORD, url=url)
    assert not sign_in(client, "vera", PASSWORD, url=url)
    assert sign_in(client, "vera", PASSWORD, address="192.0.2.2", url=url), "nobody is locked out from elsewhere"
    SignInFailure.objects.update(at=timezone.now() - login_limits.WITHIN - timedelta(seconds=1))
    assert sign_in(client, "vera", PASSWORD, url=url)


def test_a_success_wipes_the_names_failures_and_many_names_from_one_place_are_limited(client: Client) -> None:
    make_user("viewer", "vera")
    for _ in range(login_limits.MOST_OF_NAME - 1):
        sign_in(client, "vera", "wrong")
    assert sign_in(client, "vera", PASSWORD)
    assert not SignInFailure.objects.exists()
    for number in range(login_limits.MOST_OF_NETWORK):
        sign_in(client, f"guess{number}", "wrong", address=f"2001:db8::{number:x}")
    assert not sign_in(client, "vera", PASSWORD, address="2001:db8::ffff")
    assert sign_in(client, "vera", PASSWORD, address="2001:db8:1::1")


def test_a_locked_out_person_is_told_so(client: Client) -> None:
    make_user("viewer", "vera")
    wrong = {"username": "vera", "password": "wrong"}
    for _ in range(login_limits.MOST_OF_NAME - 1):
        answer = client.post("/sign-in/", wrong)
        assert answer.status_code == 200 and "password is wrong" in answer.content.decode()
    client.post("/sign-in/", wrong)
    answer = client.post("/sign-in/", {"username": "vera", "password": PASSWORD})
    assert answer.status_code == 429 and login_limits.SENTENCE in answer.content.decode()
    assert "password is wrong" not in answer.content.decode()


def test_the_administration_says_so_too(client: Client) -> None:
    for _ in range(login_limits.MOST_OF_NAME + 1):
        answer = client.post("/admin/login/", {"username": "vera", "password": "wrong"})
    assert login_limits.SENTENCE in answer.content.decode()


def test_an_attempt_counts_before_its_password_is_checked() -> None:
    """Attempts at the same time: each finds those that began before it, though none has ended."""
    checked: list[int] = []

    def attempt(number: int) -> bool:
        checked.append(number)
        with contextlib.suppress(PermissionDenied):
            login_limits.limited("vera", "192.0.2.1", lambda: attempt(number + 1))
        return False

    login_limits.limited("vera", "192.0.2.1", lambda: attempt(1))
    assert checked == [1, 2, 3, 4, 5]


def test_whoever_tries_while_he_has_to_wait_does_not_wait_longer() -> None:
    for _ in range(login_limits.MOST_OF_NAME + 3):
        with contextlib.suppress(PermissionDenied):
            login_limits.limited("vera", "192.0.2.1", lambda: False)
    assert SignInFailure.objects.count() == login_limits.MOST_OF_NAME


def test_wrong_old_passwords_are_limited(client: Client) -> None:
    client.force_login(make_user("viewer", "vera"))
    new = {"new_password1": "another-long-pass-8", "new_password2": "another-long-pass-8"}
    for _ in range(login_limits.MOST_OF_NAME):
        assert client.post("/password/", new | {"old_password": "wrong"}).status_code == 200
    answer = client.post("/password/", new | {"old_password": PASSWORD})
    assert answer.status_code == 429 and login_limits.SENTENCE in answer.content.decode()
    assert client.login(username="vera", password=PASSWORD), "from elsewhere"


def test_the_typed_name_is_not_stored(client: Client) -> None:
    sign_in(client, "my password by mistake", "x")
    assert "password" not in str(list(SignInFailure.objects.values()))


def settings_with(**environ: str) -> dict[str, Any]:
    names = "SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_HSTS_SECONDS SECURE_SSL_REDIRECT SESSION_COOKIE_HTTPONLY"
    say = "print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}))"
    code = f"import json, sys; from kgbuilder import settings; {say}"
    command, given = [sys.executable, "-c", code, *names.split()], {**os.environ, **environ}
    ended = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_with_tls_cookies_are_secure_and_browsers_get_hsts() -> None:
    on, off = settings_with(HTTPS="1"), settings_with(HTTPS="0")
    assert on == {
        "SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True, "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_SSL_REDIRECT": True, "SESSION_COOKIE_HTTPONLY": True,
    }  # fmt: skip
    assert not off["SESSION_COOKIE_SECURE"] and not off["SECURE_SSL_REDIRECT"] and off["SECURE_HSTS_SECONDS"] == 0


def test_with_tls_pages_redirect_to_https_and_probes_do_not(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    assert client.get("/sign-in/").headers["Location"] == "https://testserver/sign-in/"
    assert client.get("/healthz").status_code == 200
    answer = client.get("/sign-in/", secure=True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


SECRET = "s3cr3t-p4ss"
ADDRESS = f"https://me:{SECRET}@news.example/feed.xml"


def test_a_feeds_password_is_encrypted_and_shown_nowhere(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    monkeypatch.setattr("knowledge.views.feeds.adding.ring", lambda lane: None)
    client.force_login(make_user("admin"))
    client.post("/feeds/add/", {"feed": encrypted_field.seal(ADDRESS)})
    feed = Feed.objects.get()
    assert feed.url == "https://news.example/feed.xml"
    assert encrypted_field.open_sealed(feed.credentials) == f"me:{SECRET}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM extraction_feed")
        (kept,) = cursor.fetchone()
    assert SECRET not in kept and kept.startswith(encrypted_field.PREFIX)
    user = make_user("admin")
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    shown = [
        client.get(url).content.decode()
        for url in (
            "/feeds/",
            f"/feeds/{feed.pk}/",
            "/feeds/opml/",
            f"/admin/extraction/feed/{feed.pk}/change/",
            "/status/",
        )
    ]
    call_command("dumpdata", "extraction.feed")
    shown += [capsys.readouterr().out, str(list(Event.objects.values())), str(feed)]
    with caplog.at_level(logging.DEBUG):
        polling.poll_due(worker="test", mark=mark_posts)
    feed.refresh_from_db()
    assert feed.failures == 1
    shown += [feed.error, caplog.text]
    assert not [text for text in shown if SECRET in text]


@pytest.mark.parametrize(
    "wrong",
    [
        f"ftp://me:{SECRET}@news.example/",
        f"https://me:{SECRET}@news.example:99999999/",
        f"me:{SECRET}@/",
        f"https://me:{SECRET}@[x/",
    ],
)
def test_a_refused_address_reveals_no_password(client: Client, wrong: str) -> None:
    client.force_login(make_user("admin"))
    answer = client.post("/feeds/add/", {"address": wrong}, follow=True)
    assert SECRET not in answer.content.decode()
    assert all(SECRET not in url for url, _ in answer.redirect_chain)
    with pytest.raises((subscriptions.NoFeedAddress, http_client.FetchError)) as refused:
        subscriptions.subscribe(wrong)
    assert SECRET not in str(refused.value)


def test_items_that_carry_the_password_lose_it() -> None:
    item = f"<item><title>A</title><link>https://me:{SECRET}@news.example/a</link><guid>https://me:{SECRET}@news.example/a</guid></item>"
    xml = f'<rss version="2.0"><channel><title>x</title><link>https://me:{SECRET}@news.example/</link>{item}</channel></rss>'
    parsed = feed_parser.parse(xml.encode(), "application/rss+xml", "https://news.example/feed.xml")
    assert parsed.items[0].link == "https://news.example/a"
    assert SECRET not in str(parsed)
    assert (
        canonical_urls.without_credentials("https://news.example/@user/a?x=@b") == "https://news.example/@user/a?x=@b"
    )


def test_another_secret_key_is_reported_and_no_crash(settings: Any) -> None:
    subscriptions.subscribe(ADDRESS)
    settings.SECRET_KEY = "another"
    done = polling.poll_due(worker="test", mark=mark_posts)
    assert "cannot be read" in next(iter(done.errors.values()))
    assert "Add the feed again" in Feed.objects.get().error


def test_log_lines_are_one_json_object_each_and_name_their_subject() -> None:
    from kgbuilder.supervision import telemetry

    record = logging.LogRecord("extraction.feeds.polling", logging.INFO, "", 0, "Polled: %d new\nlines", (3,), None)
    with telemetry.about(feed=12), telemetry.about(post="x"):
        line = logs.Json().format(record)
        plain = logs.Plain("%(levelname)s %(subject)s%(message)s").format(record)
    fields = json.loads(line)
    assert "\n" not in line
    assert (fields["feed"], fields["post"], fields["event"], fields["level"]) == (
        12,
        "x",
        "Polled: 3 new\nlines",
        "INFO",
    )
    assert plain == "INFO [feed 12, post x] Polled: 3 new\nlines"
    try:
        raise ValueError("\u20ac" * 9000)
    except ValueError:
        broken = logging.LogRecord("x", logging.ERROR, "", 0, "m" * 9000, (), sys.exc_info())
    line = logs.Json().format(broken)
    assert len(line) <= logs.LONGEST
    assert json.loads(line)["error"]
