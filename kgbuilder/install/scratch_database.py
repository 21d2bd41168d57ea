"""A temporary database for commands that measure or test: it has the tables, and is deleted afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection


@contextmanager
def scratch_database(purpose: str) -> Iterator[None]:
    """Connects to it inside the block. A file where the product's is one, else `<name>_<purpose>`."""
    with tempfile.TemporaryDirectory(prefix=f"kg-{purpose}-") as folder:
        own = connection.settings_dict["NAME"]
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / f"{purpose}.sqlite3")
        else:
            connection.settings_dict["TEST"]["NAME"] = f"{own}_{purpose}"
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            yield
        finally:
            connection.creation.destroy_test_db(own, verbosity=0)
