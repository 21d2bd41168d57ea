"""The database in a backup: SQLite as a file, PostgreSQL by table in one snapshot, without its own programs."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from extraction.posts import search_index
from kgbuilder.backup.manifest import BackupError, BackupManifest
from kgbuilder.install import data_folder

FILE = "database.sqlite3"
TABLES = "tables"
# made by migrations, or made again from what is there
_LEFT_OUT = ("django_migrations", "extraction_search")
_BLOCK = 1 << 20


def save(folder: Path, manifest: BackupManifest) -> None:
    if connection.vendor == "sqlite":
        data_folder.copy_sqlite(folder / FILE)
        return
    (folder / TABLES).mkdir()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for table in _tables():
            manifest.columns[table] = _columns(table)
            _copy_out(cursor, table, manifest.columns[table], folder / TABLES / f"{table}.gz")


def check(manifest: BackupManifest) -> None:
    """Raises BackupError, with nothing changed, if the backup does not fit the database or that is not empty."""
    if manifest.vendor != connection.vendor:
        raise BackupError(
            f"The backup is of a {manifest.vendor} database, and DATABASE_URL names {connection.vendor}. Restore it "
            "into one of its own kind."
        )
    # without the connection, which would make an empty file
    if {(app, name) for app, name in manifest.migrations} - set(MigrationLoader(None).graph.nodes):
        raise BackupError(f"The backup was made by a newer kgbuilder ({manifest.program}). Restore it with that.")
    if connection.vendor == "sqlite":
        place = Path(connection.settings_dict["NAME"])
        if place.exists() and place.stat().st_size:
            raise BackupError(f"{place} exists already. Restore into an empty DATA_DIR, or move it away first.")
    elif connection.introspection.table_names():
        raise BackupError("The database that DATABASE_URL names has tables already. Restore into an empty one.")


@contextmanager
def whole_or_empty() -> Iterator[None]:
    """Whatever the block writes into an empty database is complete, or the database is empty again.

    On PostgreSQL also after a kill: tables are made in one transaction with their rows.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            yield
        return
    connection.close()
    try:
        yield
    except BaseException:
        remove_file()
        raise


def remove_file() -> None:
    """Deletes SQLite's file and the files that belong to it."""
    connection.close()
    for end in ("", "-wal", "-shm", "-journal"):
        Path(f"{connection.settings_dict['NAME']}{end}").unlink(missing_ok=True)


def restore(folder: Path, manifest: BackupManifest) -> None:
    """Restores into a database that passed `check`, within `whole_or_empty`, and applies this program's migrations."""
    if connection.vendor == "sqlite":
        shutil.copyfile(folder / FILE, connection.settings_dict["NAME"])
    else:
        _restore_tables(folder, manifest)
    call_command("migrate", verbosity=0, interactive=False)


def _restore_tables(folder: Path, manifest: BackupManifest) -> None:
    # The tables as they were when the backup was made; their rows are brought up to date with them afterwards.
    executor = MigrationExecutor(connection)
    had = {(app, name) for app, name in manifest.migrations}
    nodes = executor.loader.graph.node_map
    # Else a migration could not alter a table whose new rows wait for the transaction's end to be checked.
    _check_at_once(True)
    executor.migrate([key for key in sorted(had) if not any(_follows(key, c.key, had) for c in nodes[key].children)])
    _check_at_once(False)
    with connection.cursor() as cursor:
        quoted = ", ".join(connection.ops.quote_name(table) for table in manifest.columns)
        cursor.execute(f"TRUNCATE {quoted} CASCADE")
        for table, columns in manifest.columns.items():
            _copy_in(cursor, table, columns, folder / TABLES / f"{table}.gz")
            _set_sequence(cursor, table, columns)
    _check_at_once(True)
    search_index.install(connection)


def _check_at_once(now: bool) -> None:
    """Whether foreign keys are checked with each statement or later; going over to it checks all so far."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET CONSTRAINTS ALL {'IMMEDIATE' if now else 'DEFERRED'}")


def _follows(migration: tuple[str, str], other: tuple[str, str], had: set[tuple[str, str]]) -> bool:
    """Whether `other` comes after `migration` in its own app, and had been applied to the database."""
    return other[0] == migration[0] and other in had


def _tables() -> list[str]:
    return sorted(set(connection.introspection.table_names()) - set(_LEFT_OUT))


def _columns(table: str) -> list[str]:
    with connection.cursor() as cursor:
        return [column.name for column in connection.introspection.get_table_description(cursor, table)]


def _named(table: str, columns: list[str]) -> str:
    quote = connection.ops.quote_name
    return f"{quote(table)} ({', '.join(quote(column) for column in columns)})"


def _copy_out(cursor: Any, table: str, columns: list[str], path: Path) -> None:
    with (
        gzip.open(path, "wb", compresslevel=3) as file,
        cursor.copy(f"COPY {_named(table, columns)} TO STDOUT") as copy,
    ):
        for block in copy:
            file.write(block)


def _copy_in(cursor: Any, table: str, columns: list[str], path: Path) -> None:
    with gzip.open(path, "rb") as file, cursor.copy(f"COPY {_named(table, columns)} FROM STDIN") as copy:
        while block := file.read(_BLOCK):
            copy.write(block)


def _set_sequence(cursor: Any, table: str, columns: list[str]) -> None:
    if "id" in columns:
        quoted = connection.ops.quote_name(table)
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [quoted])
        if cursor.fetchone()[0]:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, 'id'), COALESCE(MAX(id), 1), MAX(id) IS NOT NULL) "  # noqa: S608
                f"FROM {quoted}",
                [quoted],
            )
