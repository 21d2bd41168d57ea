"""The web process: waitress, one process with threads. `python -m kgbuilder.web`; prints `ready` when it listens."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

THREADS = 8


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _proxy(trusted: str) -> dict[str, Any]:
    """The proxy whose headers for the client's address and scheme are trusted; those of other clients are removed."""
    if not trusted:
        return {"clear_untrusted_proxy_headers": True}
    headers = {"x-forwarded-for", "x-forwarded-proto"}
    return {"trusted_proxy": trusted, "trusted_proxy_headers": headers, "clear_untrusted_proxy_headers": True}


def _beat() -> None:
    from kgbuilder.supervision import heartbeat  # its tables: Django must be set up by now

    heartbeat.start("web")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kgbuilder.settings")
    signal.signal(signal.SIGTERM, _stop)
    from django.conf import settings
    from waitress import create_server

    from kgbuilder.web.wsgi import application

    # ident: answers do not name the server. The largest upload is a data set, and a form has other fields too.
    server = create_server(
        application,
        host=settings.HOST,
        port=settings.PORT,
        threads=THREADS,
        ident="",
        max_request_body_size=(settings.DATASET_MB + 1) * 1_000_000,
        **_proxy(settings.TRUSTED_PROXY),
    )
    _beat()
    print("ready", flush=True)
    server.run()


if __name__ == "__main__":
    main()
