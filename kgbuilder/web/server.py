"""A web process, or with --consoles a console process: uvicorn on the socket that the supervisor opened.

`python -m kgbuilder.web.server`; prints `ready` once it serves.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
from functools import partial
from types import FrameType

import uvicorn

from kgbuilder.supervision import listening
from kgbuilder.web import environs
from kgbuilder.web.application_threads import App, ThreadPool
from kgbuilder.web.bodies import Scope
from kgbuilder.web.connections import LimitedConnection
from kgbuilder.web.front import Client, Front
from kgbuilder.web.pools import PAGE_THREADS, PROBE_THREADS, ConsolePool, PagePool
from kgbuilder.web.request_kinds import Pool
from kgbuilder.web.vitality import Vitality

OPEN_FILES = 8192
LONGEST_HEAD = 64_000  # bytes
KEEP_ALIVE_SECONDS = 30
GRACE_SECONDS = 6  # for requests that are being answered when it is stopped; the supervisor waits for 8


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m kgbuilder.web.server", description=__doc__)
    parser.add_argument("--consoles", action="store_true", help="answer what the web processes relay")
    consoles = parser.parse_args(arguments).consoles
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kgbuilder.settings")
    signal.signal(signal.SIGTERM, _stop)
    from django.conf import settings
    from django.urls import get_resolver

    from kgbuilder.web.wsgi import application

    _allow_many_connections()
    get_resolver().url_patterns  # noqa: B018 the first request does not wait for the views
    LimitedConnection.exempt = frozenset({settings.TRUSTED_PROXY} - {""})
    front, pools = _console_front(application) if consoles else _web_front(application)
    server = Server(_config(front, consoles), front, Vitality(os.environ.get("KGBUILDER_PART", "web"), pools))
    _beat("consoles" if consoles else "web")
    server.run(sockets=[_listener()])


class Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and renews its lease while it is well."""

    def __init__(self, config: uvicorn.Config, front: Front, vitality: Vitality) -> None:
        super().__init__(config)
        self._front = front
        self._vitality = vitality

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._warming = asyncio.create_task(self._front.warm())  # kept: a task that nothing holds may be lost
        print("ready", flush=True)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0 and self._vitality.check():
            self.should_exit = True
        return await super().on_tick(counter)


def _config(front: Front, consoles: bool) -> uvicorn.Config:
    return uvicorn.Config(
        front,
        http=LimitedConnection,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=not consoles,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        backlog=listening.BACKLOG,
    )


def _web_front(application: App) -> tuple[Front, list[ThreadPool]]:
    from django.conf import settings

    from kgbuilder.supervision.parts import CONSOLES_VARIABLE
    from kgbuilder.web.relay import Relay

    pages, probes = PagePool("pages", application, PAGE_THREADS), PagePool("probes", application, PROBE_THREADS)
    path = os.environ.get(CONSOLES_VARIABLE, "")
    silent = 2 * max(settings.SPARQL_SECONDS, settings.CYPHER_SECONDS) + 60
    consoles = Relay(path, silent) if path else _consoles(application)
    front = Front(
        {Pool.PAGES: pages, Pool.PROBES: probes, Pool.CONSOLES: consoles},
        partial(environs.from_client, trusted=settings.TRUSTED_PROXY),
        partial(_may_upload, probes.threads),
        settings.DATASET_MB,
    )
    return front, [pages.threads, probes.threads]


def _console_front(application: App) -> tuple[Front, list[ThreadPool]]:
    from django.conf import settings

    consoles = _consoles(application)
    front = Front(dict.fromkeys(Pool, consoles), environs.from_web_process, _nobody, settings.DATASET_MB)
    return front, [consoles.threads]


def _consoles(application: App) -> ConsolePool:
    from django.conf import settings

    from kgbuilder.supervision.parts import run_folder
    from kgbuilder.web.places import Places

    return ConsolePool(application, settings.CONSOLES_AT_ONCE, Places(run_folder() / "places"))


async def _may_upload(threads: ThreadPool, scope: Scope, client: Client) -> bool:
    from kgbuilder.web import identity

    environ = environs.environ_of(scope, None, client)
    return await threads.call(lambda: identity.signed_in(environ))


async def _nobody(scope: Scope, client: Client) -> bool:
    return False


def _listener() -> socket.socket:
    from django.conf import settings

    return listening.inherited() or listening.open_socket(listening.address(settings.HOST, settings.PORT))


def _beat(part: str) -> None:
    from kgbuilder.supervision import heartbeat  # its tables: Django must be set up by now

    heartbeat.start(part)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


if __name__ == "__main__":
    main()
