"""The guarded client, against real sockets on 127.0.0.1."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest

from extraction.crawler import addresses, http_client
from extraction.crawler.decompression import Inflate
from extraction.crawler.http_client import FetchError, get
from tests.servers.web import Answer, WebServer, reply, running

pytestmark = pytest.mark.integration


@pytest.fixture
def web() -> Iterator[WebServer]:
    with running() as server:
        yield server


def refusal(url: str, **options: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        get(url, **options)  # type: ignore[arg-type]
    return caught.value


def test_what_it_asks_and_what_it_gives(web: WebServer, settings) -> None:
    settings.CONTACT_URL = "https://newsroom.example/contact"
    web.answers["/a"] = reply(200, "words", Content_Type="text/html", ETag='"1"', Set_Cookie="x=1")
    found = get(web.url("/a"), allow=web.allow, accept="text/html")
    assert (found.status, found.content, found.content_type, found.url) == (200, b"words", "text/html", web.url("/a"))
    headers = web.asked[0][1]
    assert headers["user-agent"] == "kgbuilder/0.1 (+https://newsroom.example/contact)"
    assert headers["accept"] == "text/html" and "cookie" not in headers and "if-none-match" not in headers


def test_conditional_requests(web: WebServer) -> None:
    web.answers["/a"] = reply(304)
    found = get(web.url("/a"), allow=web.allow, etag='"1"', last_modified="Mon, 02 Mar 2026 10:00:00 GMT")
    assert found.not_modified and found.content == b""
    headers = web.asked[0][1]
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('"1"', "Mon, 02 Mar 2026 10:00:00 GMT")


def test_a_stored_etag_cannot_smuggle_a_line(web: WebServer) -> None:
    web.answers["/a"] = reply(200)
    get(web.url("/a"), allow=web.allow, etag='"1"\r\nX-Smuggled: yes')
    assert "x-smuggled" not in web.asked[0][1]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::1", False),
        ("2002:a00:1::1", False),
        ("2001:db8::1", False),
        ("nonsense", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert addresses.is_public(address) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_loopback_is_refused_under_every_name(web: WebServer, host: str) -> None:
    error = refusal(web.url("/a", host), allow=())
    assert error.code in ("address", "name"), error
    assert web.asked == []


def test_fetch_allow_names_host_and_port(web: WebServer) -> None:
    web.answers["/a"] = reply(200, "in")
    assert get(web.url("/a"), allow=web.allow).content == b"in"
    assert get(web.url("/a", "localhost"), allow=(("localhost", web.port),)).content == b"in"
    assert refusal(web.url("/a"), allow=(("127.0.0.1", web.port + 1),)).code == "address"


def test_the_address_checked_is_the_address_connected_to(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers with a public address first and with loopback afterwards gets one question."""
    asked, connected = [], []

    def getaddrinfo(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def create_connection(address: tuple[str, int], *args: object, **options: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    assert refusal(web.url("/a", "rebind.example"), allow=()).code == "refused"
    assert (asked, connected) == (["rebind.example"], [("93.184.216.34", web.port)])
    assert refusal(web.url("/a", "rebind.example"), allow=()).code == "address"
    assert len(connected) == 1


def test_of_a_mixed_name_only_the_public_address_is_used() -> None:
    assert addresses.permitted("mixed.example", 80, ["10.0.0.1", "93.184.216.34"], ()) == ["93.184.216.34"]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "address"),
        ("http://127.0.0.1:1/", "address"),
        ("file:///etc/passwd", "url"),
        ("gopher://127.0.0.1/", "url"),
        ("http://[bad/", "url"),
    ],
)
def test_each_redirect_is_checked_as_the_first(web: WebServer, target: str, code: str) -> None:
    web.answers["/a"] = reply(302, Location=target)
    assert refusal(web.url("/a"), allow=web.allow).code == code


def test_redirects_are_followed_and_counted(web: WebServer) -> None:
    web.answers |= {f"/{n}": reply(302, Location=f"/{n + 1}") for n in range(9)}
    web.answers["/5"] = reply(200, "found")
    found = get(web.url("/0"), allow=web.allow)
    assert (found.url, found.content, found.moved_permanently_to) == (web.url("/5"), b"found", "")
    web.answers["/5"] = reply(302, Location="/6")
    assert refusal(web.url("/0"), allow=web.allow).code == "redirects"


def test_only_a_chain_of_permanent_redirects_moves_a_page(web: WebServer) -> None:
    web.answers |= {
        "/a": reply(301, Location="/b"),
        "/b": reply(308, Location="/c"),
        "/c": reply(302, Location="/d"),
        "/d": reply(301, Location="/e"),
        "/e": reply(200),
    }
    found = get(web.url("/a"), allow=web.allow)
    assert (found.moved_permanently_to, found.url) == (web.url("/c"), web.url("/e"))


def test_credentials_stay_with_the_first_host(web: WebServer) -> None:
    with running() as other:
        other.answers["/b"] = reply(200)
        web.answers |= {"/a": reply(302, Location="/again"), "/again": reply(302, Location=other.url("/b"))}
        found = get(f"http://user:p%40ss@127.0.0.1:{web.port}/a", allow=(*web.allow, *other.allow))
        assert [headers.get("authorization") for _, headers in web.asked] == ["Basic dXNlcjpwQHNz"] * 2
        assert "authorization" not in other.asked[0][1]
    assert "user" not in found.url


def test_an_error_message_holds_no_password(web: WebServer) -> None:
    error = refusal(f"http://user:secret@127.0.0.1:{web.port}/missing", allow=web.allow)
    assert error.status == 404 and "secret" not in str(error)


@pytest.mark.parametrize("status", [403, 404, 410, 500, 503])
def test_a_status_is_an_error_with_its_number(web: WebServer, status: int) -> None:
    web.answers["/a"] = reply(status, "words", Retry_After="120")
    error = refusal(web.url("/a"), allow=web.allow)
    assert (error.code, error.status, error.retry_after) == ("status", status, 120.0)


def test_retry_after_as_a_date() -> None:
    now = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert http_client.retry_after({"retry-after": "Mon, 02 Mar 2026 10:05:00 GMT"}, now) == 300
    assert http_client.retry_after({"retry-after": "Mon, 02 Mar 2026 09:05:00 GMT"}, now) == 0
    assert http_client.retry_after({"retry-after": "soon"}, now) is None


def test_max_age() -> None:
    assert http_client.max_age({"cache-control": "public, max-age=600"}) == 600
    assert http_client.max_age({"cache-control": "s-maxage=900"}) == 0
    assert http_client.max_age({}) == 0


def test_a_body_over_the_limit_is_left(web: WebServer) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b"x" * 65536)

    web.answers["/a"] = endless
    assert refusal(web.url("/a"), allow=web.allow, max_bytes=200_000).code == "too_big"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_bomb_is_unpacked_only_to_the_limit(web: WebServer, encoding: str) -> None:
    packed = (gzip.compress if encoding == "gzip" else zlib.compress)(b"\0" * (64 << 20))
    web.answers["/a"] = reply(200, packed, Content_Encoding=encoding)
    assert refusal(web.url("/a"), allow=web.allow, max_bytes=1 << 20).code == "too_big"


def test_the_unpacker_never_makes_more_than_the_limit_at_once() -> None:
    made = [len(part) for part in Inflate(1000)(gzip.compress(b"\0" * (8 << 20)))]
    assert max(made) <= 1001 and sum(made) == 8 << 20


def endlessly(packed: bytes, more: bytes) -> Answer:
    """Sends `packed`, then `more` until the other side hangs up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.end_headers()
        request.wfile.write(packed)
        while True:
            request.wfile.write(more)

    return answer


@pytest.mark.parametrize("more", [b"\0" * 65536, b"\x1f" + b"x" * 65535], ids=["padding", "nearly a member"])
def test_what_follows_the_end_of_compressed_content_is_not_fetched(web: WebServer, more: bytes) -> None:
    web.answers["/a"] = endlessly(gzip.compress(b"words"), more)
    assert get(web.url("/a"), allow=web.allow, deadline=20).content == b"words"


def test_empty_members_without_end_count_as_they_are_sent(web: WebServer) -> None:
    web.answers["/a"] = endlessly(gzip.compress(b"words"), gzip.compress(b"") * 3000)
    assert refusal(web.url("/a"), allow=web.allow, max_bytes=1 << 20, deadline=20).code == "too_big"


def test_junk_after_the_end_is_dropped_at_once() -> None:
    unpack = Inflate(1000)
    assert b"".join(unpack(gzip.compress(b"words") + b"junk")) == b"words" and unpack.ended
    assert list(unpack(gzip.compress(b"more"))) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 26, 5000])
def test_members_are_read_wherever_the_pieces_are_cut(size: int) -> None:
    packed = b"".join(gzip.compress(words) for words in (b"one ", b"", b"two ", b"three " * 9000))
    unpack = Inflate(1 << 20)
    parts = [part for at in range(0, len(packed), size) for part in unpack(packed[at : at + size])]
    assert b"".join(parts) == b"one two " + b"three " * 9000 and not unpack.ended


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"words " * 999)),
        ("gzip", gzip.compress(b"words " * 500) + gzip.compress(b"words " * 499)),
        ("deflate", zlib.compress(b"words " * 999)),
        ("deflate", zlib.compress(b"words " * 999, wbits=-15)),
        ("identity", b"words " * 999),
    ],
    ids=["gzip", "gzip members", "deflate", "raw deflate", "identity"],
)
def test_compressed_bodies_are_read(web: WebServer, encoding: str, packed: bytes) -> None:
    web.answers["/a"] = reply(200, packed, Content_Encoding=encoding)
    assert get(web.url("/a"), allow=web.allow).content == b"words " * 999
    assert web.asked[0][1]["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(b"words " * 999)[:20] + b"?" * 99), ("br", b"x"), ("gzip, zstd", b"x")],
    ids=["damaged", "br", "zstd"],
)
def test_what_cannot_be_unpacked_is_an_error(web: WebServer, encoding: str, body: bytes) -> None:
    web.answers["/a"] = reply(200, body, Content_Encoding=encoding)
    assert refusal(web.url("/a"), allow=web.allow).code == "encoding"


def test_a_slow_drip_ends_at_the_deadline(web: WebServer) -> None:
    """Each byte comes well within any time limit for one read; the whole never does."""
    stop = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not stop.wait(0.05):
            request.wfile.write(b"x")
            request.wfile.flush()

    web.answers["/a"] = drip
    started = time.monotonic()
    assert refusal(web.url("/a"), allow=web.allow, deadline=0.5).code == "timeout"
    stop.set()
    assert time.monotonic() - started >= 0.5


def test_dripped_headers_end_at_the_deadline(web: WebServer) -> None:
    stop = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not stop.wait(0.05):
            request.wfile.write(b"x")
            request.wfile.flush()

    web.answers["/a"] = drip
    assert refusal(web.url("/a"), allow=web.allow, deadline=0.5).code == "timeout"
    stop.set()


def test_endless_headers_are_refused(web: WebServer) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            request.wfile.write(b"X-More: " + b"x" * 8000 + b"\r\n")

    web.answers["/a"] = endless
    assert refusal(web.url("/a"), allow=web.allow).code == "protocol"


def test_a_resolver_that_hangs_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: stop.wait(60) and [])
    assert refusal("http://hanging.example/", deadline=0.2).code == "timeout"
    stop.set()


def test_what_is_not_http_is_an_error(web: WebServer) -> None:
    def greeting(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    web.answers["/a"] = greeting
    assert refusal(web.url("/a"), allow=web.allow).code == "protocol"
    assert refusal(web.url("/a").replace("http:", "https:"), allow=web.allow).code == "tls"


@pytest.mark.parametrize("url", ["", "nothing", "http://", "ftp://example.org/", "http://exa mple/\n", "http://a:b:c/"])
def test_what_is_no_web_address_is_an_error(url: str) -> None:
    assert refusal(url).code in ("url", "name")


def test_proxies_of_the_environment_are_not_used(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    web.answers["/a"] = reply(200, "direct")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(web.url("/a"), allow=web.allow).content == b"direct"


@pytest.mark.parametrize("address", ["168.63.129.16", "::ffff:168.63.129.16", "3fff::1", "3fff:fff::"])
def test_addresses_that_python_counts_as_public_are_not(address: str) -> None:
    assert not addresses.is_public(address)
    assert addresses.is_public("168.63.129.17") and addresses.is_public("2606:4700::1111")
