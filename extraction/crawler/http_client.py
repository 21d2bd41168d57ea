"""The HTTP client for everything that is fetched from outside: guarded, bounded, polite.

`get` follows redirects itself, so that each hop is checked as the first was. It keeps no cookies and no connections,
uses no proxies, and decodes the content piece by piece, never past the limit.
"""

from __future__ import annotations

import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, wraps
from typing import ParamSpec
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import certifi
import httpcore
import httpx

from extraction.crawler import canonical_urls
from extraction.crawler.addresses import (
    CONNECT_SECONDS,
    QUIET_SECONDS,
    Allowed,
    Deadline,
    ForbiddenAddress,
    GuardedBackend,
    UnknownHost,
)
from extraction.crawler.decompression import TooMuch, UnreadableEncoding, unpacked
from kgbuilder.supervision import telemetry

MAX_BYTES = 10 << 20
MAX_REDIRECTS = 5
MAX_URL = 2000
PAGE = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1"

_PERMANENT = frozenset({301, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Strict, because dots and slashes that are left in would lead on to our other pages.
_SAMPLE = re.compile(r"/samples/[A-Za-z0-9_-]+\.(?:xml|html)")
_P = ParamSpec("_P")


class FetchError(Exception):
    """Why a URL could not be fetched. `code` is stable; the message is a sentence for people.

    Codes: url, address, name, refused, timeout, tls, redirects, too_big, encoding, protocol, robots (robots.txt is not
    available), disallowed (by robots.txt), and status (then `status` is the HTTP status, and `retry_after` the seconds
    that the host asks for, if any).
    """

    def __init__(self, code: str, sentence: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.code, self.sentence, self.status, self.retry_after = code, sentence, status, retry_after


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of status 2xx or 304. `url` is the address after all redirects; header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    moved_permanently_to: str = ""
    not_modified: bool = False

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


def _counted(fetch: Callable[_P, Response]) -> Callable[_P, Response]:
    """Count failures by kind: a code, or the HTTP status."""

    @wraps(fetch)
    def counted(*args: _P.args, **kwargs: _P.kwargs) -> Response:
        try:
            return fetch(*args, **kwargs)
        except FetchError as error:
            kind = f"http_{error.status}" if error.code == "status" else error.code
            telemetry.count(telemetry.FETCH_ERRORS, kind)
            raise

    return counted


@_counted
def get(
    url: str,
    *,
    etag: str = "",
    last_modified: str = "",
    accept: str = "*/*",
    max_bytes: int = MAX_BYTES,
    deadline: float | None = None,
    allow: Allowed | None = None,
    samples: bool = False,
    credentials: str = "",
    check_redirect: Callable[[str], None] | None = None,
) -> Response:
    """Fetch `url` (http or https) within `deadline` seconds, all redirects included. Raises FetchError.

    `allow` are the (host, port) pairs that may lie on private addresses, by default FETCH_ALLOW. `samples`:
    the samples that this product serves itself may be fetched too, and nothing else of it. `credentials`
    ("user:password") go to the first host only. A status that is neither 2xx nor 304 is an error. `check_redirect` is
    called with the target of a redirect to another host before it is followed; what it raises ends the fetch, and the
    time that it takes does not count.
    """
    from django.conf import settings

    allow = settings.FETCH_ALLOW if allow is None else allow
    limit = Deadline(settings.FETCH_SECONDS if deadline is None else deadline)
    headers = _headers(settings.CONTACT_URL, accept, etag, last_modified)
    here, in_url = split_credentials(url)
    start, first, credentials, moved, permanent = here, _origin(here), credentials or in_url, "", True
    for _ in range(MAX_REDIRECTS + 1):
        _check(here)
        auth = _basic(credentials) if credentials and _origin(here) == first else None
        # A client for each hop: the next one may not reach what this one may, and no cookie is sent along.
        allowed = {*allow, _place(here)} if samples and is_own_sample(here) else allow
        with (
            _client(allowed, limit) as client,
            _as_fetch_errors(here),
            client.stream("GET", here, headers=headers, auth=auth) as answer,
        ):
            if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                return _response(answer, here, moved, max_bytes)
            target = split_credentials(urljoin(here, answer.headers["location"]))[0]
            permanent = permanent and answer.status_code in _PERMANENT and _no_weaker(here, target)
        if check_redirect is not None and _origin(target) != _origin(here):
            _check(target)
            began = time.monotonic()
            check_redirect(target)
            limit.extend(time.monotonic() - began)
        moved, here = (target if permanent else moved), target
    raise FetchError("redirects", f"{start[:200]} redirects more than {MAX_REDIRECTS} times.")


def post(url: str, content: bytes, content_type: str, *, allow: Allowed, deadline: float = 10.0) -> None:
    """Send `content` to `url` without following redirects. Raises FetchError, also for a status that is not 2xx."""
    from django.conf import settings

    here, credentials = split_credentials(url)
    _check(here)
    auth = _basic(credentials) if credentials else None
    headers = {"User-Agent": user_agent(settings.CONTACT_URL), "Content-Type": content_type}
    with (
        _client(allow, Deadline(deadline)) as client,
        _as_fetch_errors(here),
        client.stream("POST", here, content=content, headers=headers, auth=auth) as answer,
    ):
        status = answer.status_code
    if not 200 <= status < 300:
        raise FetchError("status", f"{urlsplit(here).netloc} responded with {status}.", status=status)


def _client(allow: Allowed, limit: Deadline) -> httpx.Client:
    return httpx.Client(
        transport=_Transport(allow, limit),
        trust_env=False,
        timeout=httpx.Timeout(QUIET_SECONDS, connect=CONNECT_SECONDS),
    )


def is_own_sample(url: str) -> bool:
    """Whether `url` is the sample feed or one of its pages, as our own web server serves them."""
    from django.conf import settings

    parts = urlsplit(url)
    own = parts.scheme == "http" and canonical_urls.host(url) == canonical_urls.host(settings.WEB_ADDRESS) != ""
    return own and bool(_SAMPLE.fullmatch(parts.path))


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def split_credentials(url: str) -> tuple[str, str]:
    """`url` without its user and password, and these as "user:password", "" where there are none."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        # The error may quote the malformed part, which may be the password.
        raise FetchError("url", f"{canonical_urls.without_credentials(url)[:200]!r} is not a web address.") from None
    user, at, place = parts.netloc.rpartition("@")
    if not at:
        return urlunsplit(parts), ""
    return urlunsplit(parts._replace(netloc=place)), unquote(user)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that a Retry-After header asks for: a number, or a date that is compared with `now`."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((aware - (now or datetime.now(UTC))).total_seconds(), 0.0)


def max_age(headers: Mapping[str, str]) -> float:
    """The seconds for which a response is fresh (Cache-Control's max-age); 0 where the header does not give any."""
    match = re.search(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", headers.get("cache-control", "").lower())
    return float(match[1]) if match else 0.0


def user_agent(contact: str) -> str:
    return f"kgbuilder/0.1 (+{contact})" if contact else "kgbuilder/0.1"


def _headers(contact: str, accept: str, etag: str, last_modified: str) -> dict[str, str]:
    headers = {
        "User-Agent": user_agent(contact),
        "Accept": accept,
        "Accept-Encoding": "gzip, deflate",
        "Connection": "close",
    }
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    return {name: _header_safe(value) for name, value in headers.items()}


def _header_safe(value: str) -> str:
    """A stored ETag came from outside: it must not smuggle a line into a request."""
    return re.sub(r"[^\x20-\x7e]", "", value)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchError("url", f"{url[:200]!r} is not a web address ({error}).") from None
    if parts.scheme not in ("http", "https"):
        raise FetchError("url", f"Only http and https addresses can be fetched, not {url[:200]!r}.")
    if not parts.hostname or port == 0 or len(url) > MAX_URL:
        raise FetchError("url", f"{url[:200]!r} is not a web address that can be fetched.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _no_weaker(here: str, target: str) -> bool:
    return not (here.startswith("https:") and target.startswith("http:"))


def _basic(credentials: str) -> httpx.BasicAuth:
    user, _, password = credentials.partition(":")
    return httpx.BasicAuth(user, password)


def _response(answer: httpx.Response, url: str, moved: str, max_bytes: int) -> Response:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if answer.status_code == 304:
        return Response(url, 304, headers, b"", moved, not_modified=True)
    if not 200 <= answer.status_code < 300:
        status = f"{answer.status_code} {answer.reason_phrase}".strip()
        raise FetchError(
            "status", f"{url} responded with {status}.", status=answer.status_code, retry_after=retry_after(headers)
        )
    content = b"".join(_decoded(answer.iter_raw(), headers.get("content-encoding", ""), url, max_bytes))
    return Response(url, answer.status_code, headers, content, moved)


def _decoded(pieces: Iterable[bytes], encoding: str, url: str, limit: int) -> Iterator[bytes]:
    """Yield the content piece by piece. It is unpacked only as far as the limit allows; the limit also holds for the
    compressed bytes, which may be endless and unpack to nothing."""
    try:
        yield from unpacked(pieces, encoding, limit)
    except TooMuch:
        raise FetchError("too_big", f"{url} is larger than the limit of {limit:,} bytes.") from None
    except UnreadableEncoding as error:
        label = str(error)[:40]
        raise FetchError("encoding", f"{url} sends content encoded as {label!r}, which was not requested.") from None
    except zlib.error as error:
        raise FetchError("encoding", f"{url} sends damaged compressed content ({error}).") from None


@contextmanager
def _as_fetch_errors(url: str) -> Iterator[None]:
    """Turn what a connection raises into a FetchError whose sentence people can act on."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpx.HTTPError) as error:
        raise FetchError(*_code_and_sentence(error, urlsplit(url).netloc)) from error
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("url", f"{url[:200]!r} is not a web address that can be fetched ({error}).") from error


def _code_and_sentence(error: Exception, host: str) -> tuple[str, str]:
    if isinstance(error, ForbiddenAddress):
        return "address", (
            f"{host} is refused: it lies on a private or local network ({error}). An admin can allow its "
            "host and port in the setting FETCH_ALLOW."
        )
    if isinstance(error, UnknownHost):
        return "name", f"The host {host} was not found. Check the address."
    if isinstance(error, httpcore.TimeoutException):
        return "timeout", f"{host} did not respond in time."
    if isinstance(error.__context__, ssl.SSLError):
        return "tls", f"{host} has no trusted certificate ({error})."
    if isinstance(error, httpcore.ConnectError):
        return "refused", f"{host} cannot be reached ({error})."
    return "protocol", f"{host} closed the connection or did not respond with valid HTTP ({error})."


@cache
def _tls() -> ssl.SSLContext:
    """The system's authorities (or SSL_CERT_FILE's), and certifi's where the system has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        if hasattr(self._stream, "close"):
            self._stream.close()


class _Transport(httpx.BaseTransport):
    """httpx over an httpcore pool whose connections are guarded: both by their public interfaces."""

    def __init__(self, allow: Allowed, deadline: Deadline) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=_tls(), network_backend=GuardedBackend(allow, deadline))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()
