"""A database host that accepts connections and never answers: the product reports it, and does not wait."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from django.db.utils import ConnectionHandler
from django.test import Client

from kgbuilder.conf import connections
from tests.patience import PATIENCE_S

pytest.importorskip("psycopg")
pytestmark = [pytest.mark.integration, pytest.mark.django_db]  # for the guard that other tests rely on; no row is made


def test_readyz_answers_while_the_database_host_is_silent(client: Client, monkeypatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system takes connections; nobody reads them
        entry = connections.database(f"postgresql://kg@127.0.0.1:{silent.getsockname()[1]}/kg", tmp_path)

        def exists() -> bool:
            """As the installation's query does: in each thread a connection of its own."""
            ConnectionHandler({"default": entry})["default"].ensure_connection()
            return True

        monkeypatch.setattr("kgbuilder.web.views.Installation.objects.exists", exists)
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(client.get("/readyz").status_code), daemon=True)
        asking.start()
        asking.join(PATIENCE_S)
        assert not asking.is_alive(), "it waits on"
    assert answers == [503]
