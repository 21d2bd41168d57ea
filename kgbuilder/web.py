"""The web process: waitress, one process with threads. `python -m kgbuilder.web`; prints `ready` when it listens."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

THREADS = 8


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kgbuilder.settings")
    signal.signal(signal.SIGTERM, _stop)
    from django.conf import settings
    from waitress import create_server

    from kgbuilder.wsgi import application

    # ident: answers do not name the server. Uploads are small (OPML), so the default bound of 1 GB is lowered.
    server = create_server(
        application,
        host=settings.HOST,
        port=settings.PORT,
        threads=THREADS,
        ident="",
        max_request_body_size=16_000_000,
        clear_untrusted_proxy_headers=True,
    )
    print("ready", flush=True)
    server.run()


if __name__ == "__main__":
    main()
