"""Weights over a real connection: a file that differs from the list is not kept, and is requested again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from extraction.images import detector_weights
from tests.servers.web import WebServer, reply, running

pytestmark = pytest.mark.integration

GOOD = bytes(range(256)) * 40


@pytest.fixture
def web(settings: Any, tmp_path: Path) -> Iterator[WebServer]:
    with running() as server:
        settings.FETCH_ALLOW, settings.WEIGHTS_ROOT = server.allow, tmp_path
        yield server


@pytest.fixture
def listed(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> detector_weights.Weights:
    part = detector_weights.WeightsFile("w.onnx", web.url("/w.onnx"), len(GOOD), hashlib.sha256(GOOD).hexdigest())
    one = detector_weights.Weights("stand-in", "a test", "MIT", (part,))
    monkeypatch.setitem(detector_weights.WEIGHTS, one.name, one)
    return one


def half(request: BaseHTTPRequestHandler) -> None:
    """As many bytes promised as there are, and half of them sent."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(GOOD)))
    request.end_headers()
    request.wfile.write(GOOD[: len(GOOD) // 2])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(200, b"evil" + GOOD[4:]), "it was not kept"),
        (half, "could not be fetched"),
        (reply(200, GOOD + bytes(4 << 20)), "could not be fetched"),
        (reply(404), "could not be fetched"),
        (reply(302, Location="file:///etc/passwd"), "could not be fetched"),
        (reply(302, Location="http://127.0.0.1:1/w.onnx"), "could not be fetched"),
    ],
)
def test_nothing_of_a_wrong_answer_is_kept_and_the_next_try_may_do(
    web: WebServer, listed: detector_weights.Weights, answer: Any, message: str, tmp_path: Path
) -> None:
    web.answers["/w.onnx"] = answer
    with pytest.raises(CommandError, match=message):
        call_command("fetch_weights", listed.name, stdout=io.StringIO())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    web.answers["/w.onnx"] = reply(200, GOOD)
    call_command("fetch_weights", listed.name, stdout=io.StringIO())
    assert listed.path().read_bytes() == GOOD


def test_a_redirect_to_the_listed_file_is_followed(web: WebServer, listed: detector_weights.Weights) -> None:
    web.answers["/w.onnx"] = reply(302, Location=web.url("/elsewhere"))
    web.answers["/elsewhere"] = reply(200, GOOD)
    assert detector_weights.path_of(listed.name).read_bytes() == GOOD
    assert web.paths() == ["/w.onnx", "/elsewhere"]
    detector_weights.path_of(listed.name)
    assert len(web.paths()) == 2, "fetched once"
