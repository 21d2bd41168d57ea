"""`manage.py up`, whole: everything starts, reads the samples, is refused a second time, ends and resumes."""

from __future__ import annotations

import argparse
import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from kgbuilder.conf.environment import SETTINGS
from kgbuilder.supervision import roster
from tests.kill.__main__ import free_port, settings_of
from tests.kill.product import Product, wait_for

pytestmark = pytest.mark.integration

PARTS = ("sparql", "web", "io", "reader", "trainer", "beat")


def environ_of(folder: Path) -> dict[str, str]:
    """The environment without the settings of the tests' own process."""
    return {setting.name: "" for setting in SETTINGS} | settings_of(folder, "", argparse.Namespace(deterministic=True))


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("up")
    made = Product(folder, environ_of(folder), options=())
    made.start()
    try:
        for part in PARTS:
            made.wait_until_ready(part)
        yield made
    finally:
        made.abandon()


def terminal(product: Product) -> str:
    return (product.folder / "terminal.txt").read_text()


def address(product: Product) -> str:
    return f"http://127.0.0.1:{product.environ['PORT']}/"


@pytest.mark.slow
def test_the_samples_are_analysed_with_progress_and_the_addresses_of_pages(product: Product) -> None:
    wait_for(lambda: "entities: http" in terminal(product), "the end of the progress", lambda: terminal(product))
    shown = re.findall(r"(\d+) of (\d+) sample posts analysed, (\d+) statements", terminal(product))
    read, wanted, statements = map(int, shown[-1])
    assert read == wanted >= 24
    assert statements > 50
    assert f"Open {address(product)}" in terminal(product)
    assert product.command("check_parity", "--wait").returncode == 0


@pytest.mark.slow
def test_passwords_are_shown_once_and_open_the_pages(product: Product) -> None:
    [(password)] = re.findall(r"^    editor +(\S+)$", terminal(product), re.M)
    with httpx.Client(base_url=address(product), follow_redirects=True) as browser:
        page = browser.get("/")
        token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[0]
        form = {"username": "editor", "password": password, "csrfmiddlewaretoken": token}
        signed_in = browser.post(str(page.url), data=form, headers={"Referer": str(page.url)})
        assert signed_in.status_code == 200
        assert browser.get("/posts/").status_code in (200, 404)
        assert "Sample" in browser.get("/feeds/").text


@pytest.mark.slow
def test_secrets_are_readable_by_their_owner_alone(product: Product) -> None:
    for name in ("secret_key", "sparql_token"):
        path = product.folder / name
        assert path.stat().st_mode & 0o077 == 0
        assert len(path.read_text()) > 40
    arguments = [Path(f"/proc/{entry.pid}/cmdline") for entry in roster.read(product.folder / "run")]
    token = (product.folder / "sparql_token").read_text().encode()
    assert not any(token in path.read_bytes() for path in arguments if path.exists())


@pytest.mark.slow
def test_a_second_start_in_the_same_folder_is_refused(product: Product) -> None:
    assert product.process is not None
    refused = product.command("up")
    assert refused.returncode == 1
    assert f"as process {product.process.pid}" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_doctor_finds_every_needed_part(product: Product) -> None:
    asked = product.command("doctor", "--json")
    states = {part["name"]: part["state"] for part in json.loads(asked.stdout)}
    needed = {part["name"] for part in json.loads(asked.stdout) if part["needed"]}
    # The deterministic reader needs no parser, and ships with none.
    assert {name: states[name] for name in needed - {"parser"}} == dict.fromkeys(needed - {"parser"}, "there")
    assert states["Neo4j"] == "missing"


@pytest.mark.slow
def test_it_ends_whole_and_resumes_on_another_port_without_new_accounts_or_samples(product: Product) -> None:
    assert product.stop() == 0
    assert "Everything has stopped." in terminal(product)
    before, old = len(terminal(product)), address(product)
    product.environ |= {"PORT": str(free_port())}
    product.start()
    for part in PARTS:
        product.wait_until_ready(part)
    wait_for(lambda: "entities: http" in terminal(product)[before:], "the second progress", lambda: terminal(product))
    again = terminal(product)[before:]
    assert "passwords" not in again
    assert f"The graph was written with BASE_IRI {old}" in again
    with closing(sqlite3.connect(product.folder / "kgbuilder.sqlite3")) as record:
        moved = "SELECT count(*), sum(link LIKE ?) FROM extraction_post"
        wait_for(lambda: record.execute(moved, [f"{address(product)}%"]).fetchone()[1] > 0, "the samples' new address")
        posts, there = record.execute(moved, [f"{address(product)}%"]).fetchone()
    assert posts == there >= 24
    assert re.search(r"(\d+) of \1 sample posts analysed", again)


def test_a_busy_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        environ = environ_of(tmp_path) | {"PORT": str(port)}
        refused = Product(tmp_path, environ, options=()).command("up")
    assert refused.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in refused.stderr
    assert f"PORT={port + 1}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_folder_too_deep_for_a_socket_file_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    refused = Product(tmp_path, environ_of(tmp_path) | {"DATA_DIR": str(deep)}, options=()).command("up")
    assert refused.returncode == 1
    assert "too long for a socket file" in refused.stderr


def test_a_broker_without_connections_is_refused(tmp_path: Path) -> None:
    refused = Product(tmp_path, environ_of(tmp_path) | {"BROKER_URL": "memory://"}, options=()).command("up")
    assert refused.returncode == 1
    assert "BROKER_URL" in refused.stderr


def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    environ = environ_of(tmp_path) | {"DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none"}
    refused = Product(tmp_path, environ, options=()).command("up")
    assert refused.returncode == 1
    assert "The database cannot be used" in refused.stderr
    assert "correct DATABASE_URL" in refused.stderr
    assert "Traceback" not in refused.stderr
