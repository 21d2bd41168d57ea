"""The services of docker-compose.yml, run as processes on PostgreSQL and RabbitMQ: as in containers, without
containers."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
from django.conf import settings

from kgbuilder.install import make_secrets
from tests.kgbuilder.compose import FILE, Container, ours, part_of
from tests.kill.__main__ import free_port, settings_of
from tests.kill.newsroom import open_newsroom
from tests.kill.product import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.amqp, pytest.mark.slow]

POSTS = 24
DATABASE = "kgbuilder_topology"


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database beside the tests' own."""
    address = urlsplit(os.environ["TEST_DATABASE_URL"])
    admin = urlunsplit(address._replace(path="/postgres"))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
        yield urlunsplit(address._replace(path=f"/{DATABASE}"))
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.fixture
def containers(database: str, tmp_path: Path) -> Iterator[dict[str, Container]]:
    make_secrets.make(tmp_path / "secrets", make_secrets.names(FILE.read_text()))
    broker, web, sparql = os.environ["TEST_AMQP_URL"], free_port(), free_port()
    addresses = {
        "postgresql://kgbuilder@postgres:5432/kgbuilder": database,
        "amqp://kgbuilder@rabbitmq:5672//": broker,
        "http://sparql:7879/": f"http://127.0.0.1:{sparql}/",
        "bolt://neo4j:7687": "",
        "0.0.0.0": "127.0.0.1",
    }
    (tmp_path / "deterministic").mkdir()
    own = settings_of(tmp_path / "deterministic", "", argparse.Namespace(deterministic=True))
    environ = own | {"BASE_IRI": f"http://127.0.0.1:{web}/", "PORT": str(web), "LOG_FORMAT": "json"}
    made: dict[str, Container] = {}
    with open_newsroom(POSTS, 0.01) as room:
        environ |= {"FETCH_ALLOW": f"127.0.0.1:{room.server_port}", "FEED": f"{room.origin}/feed.xml"}
        names = [name for name, service in ours().items() if "profiles" not in service]
        try:
            for name in names:
                made[name] = Container(name, tmp_path, environ, addresses | {"8000": str(web)})
            yield made
        finally:
            for container in reversed(made.values()):
                container.stop()


def test_the_services_come_up_in_their_order_read_posts_and_end(containers: dict[str, Container]) -> None:
    made = dict(containers)
    made["sparql"].start()
    wait_for(made["sparql"].healthy, "sparql to be healthy", made["sparql"].output)
    migrate = made.pop("migrate")
    migrate.start()
    assert migrate.process is not None
    assert migrate.process.wait() == 0, migrate.output()
    assert "The account admin was created" in migrate.output()
    for container in made.values():
        if container.name != "sparql":
            container.start()
    for container in made.values():
        wait_for(container.healthy, f"{container.name} to be healthy", container.output)
    web = made["web"]
    added = web.command("add_feed", web._environ["FEED"])
    assert added.returncode == 0, added.stderr
    token = {"Authorization": f"Bearer {Path(web._environ['METRICS_TOKEN_FILE']).read_text()}"}

    def figures() -> dict[str, float]:
        text = httpx.get(f"{web._environ['BASE_IRI']}metrics", headers=token, timeout=20).text
        samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in samples}

    wait_for(lambda: figures()['kgbuilder_posts{state="read"}'] == POSTS, "the posts to be read", figures)
    parity = web.command("check_parity", "--wait")
    assert parity.returncode == 0, parity.stdout + parity.stderr
    processes = {name: n for name, n in figures().items() if name.startswith("kgbuilder_processes")}
    running = {part_of(service): 1.0 for service in ours().values() if part_of(service)}
    running |= {"web": float(settings.WEB_PROCESSES), "consoles": float(settings.CONSOLE_PROCESSES)}
    assert processes == {f'kgbuilder_processes{{part="{part}"}}': number for part, number in running.items()}
    for container in made.values():
        container.terminate()
    for container in made.values():
        container.stop()
        assert container.process is not None and container.process.returncode == 0, container.output()
        for line in container.output().splitlines():
            assert json.loads(line), line
