"""Whom a request comes from, and its headers and path as WSGI has them."""

from __future__ import annotations

from typing import Any

import pytest

from kgbuilder.web import environs


def scope(*headers: tuple[bytes, bytes], path: bytes = b"/", client: str = "192.0.2.9") -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "client": (client, 4000),
        "server": ("127.0.0.1", 8000),
        "raw_path": path,
        "path": path.decode(),
        "query_string": b"a=%C3%A9",
        "headers": list(headers),
    }


FORWARDED = ((b"x-forwarded-for", b"203.0.113.5, 198.51.100.7"), (b"x-forwarded-proto", b"https"))


def test_a_forwarded_address_is_believed_only_of_the_named_proxy() -> None:
    assert environs.from_client(scope(*FORWARDED), "") == ("192.0.2.9", "http")
    assert environs.from_client(scope(*FORWARDED), "192.0.2.1") == ("192.0.2.9", "http")
    assert environs.from_client(scope(*FORWARDED), "192.0.2.9") == ("198.51.100.7", "https")
    assert environs.from_client(scope(*FORWARDED), "*") == ("198.51.100.7", "https")


@pytest.mark.parametrize(
    ("stated", "address"),
    [
        (b"198.51.100.7:55", "198.51.100.7"),
        (b"[2001:db8::1]:55", "2001:db8::1"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"unknown", "192.0.2.9"),
        (b"", "192.0.2.9"),
    ],
)
def test_a_proxy_states_addresses_in_several_forms(stated: bytes, address: str) -> None:
    assert environs.from_client(scope((b"x-forwarded-for", stated)), "192.0.2.9")[0] == address


def test_headers_that_only_a_proxy_or_the_web_process_may_send_reach_no_view() -> None:
    given = scope(
        *FORWARDED,
        (b"x-kgbuilder-client", b"203.0.113.1"),
        (b"content_type", b"text/evil"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"accept", b"text/html"),
        (b"accept", b"*/*"),
    )
    environ = environs.environ_of(given, None, ("192.0.2.9", "http"))
    assert {name for name in environ if "FORWARDED" in name or "KGBUILDER" in name} == set()
    assert "CONTENT_TYPE" not in environ
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_ACCEPT"] == "text/html,*/*"
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("192.0.2.9", "http")


@pytest.mark.parametrize(
    ("raw", "info"),
    [(b"/a%20b", "/a b"), (b"/%C3%A9", "/\u00c3\u00a9"), (b"/%ff", "/\xff"), (b"http://x/y", "/y"), (b"*", "/*")],
)
def test_a_path_is_decoded_to_its_bytes(raw: bytes, info: str) -> None:
    environ = environs.environ_of(scope(path=raw), None, ("", "http"))
    assert environ["PATH_INFO"] in (info, info.removeprefix("/"))
    assert environ["QUERY_STRING"] == "a=%C3%A9"
