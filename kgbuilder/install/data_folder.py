"""DATA_DIR's marks: the program that wrote it last, and whether this one may.

A program that is older than the folder or the database does not touch them: it could write rows in a form that the
newer one no longer uses, without noticing.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from kgbuilder import VERSION

FORMAT = 1  # of the folder: raised when its layout changes
MARK = "version.json"
UNFINISHED = "restore-unfinished.json"  # there while a backup is restored, and after one that was killed
BACKUPS_KEPT = 3


class NewerData(Exception):
    """The folder or the database was written by a newer program; the message states what to do."""


class HalfRestored(Exception):
    """A restore into the folder was killed; the message states what to do."""


def check_whole(folder: Path) -> None:
    """Raises HalfRestored, so that no command works on half an installation. `restore` does not call it."""
    if (folder / UNFINISHED).is_file():
        raise HalfRestored(
            f"A backup is being restored into {folder}, or that was cut off. Let it end, or begin it again with "
            "`manage.py restore DIR`, which first takes out what was left."
        )


def check(folder: Path) -> None:
    """Raises NewerData where a newer program wrote the folder: every command calls it, for any of them may write."""
    written, by = _mark(folder)
    if written > FORMAT:
        raise NewerData(
            f"{folder} was written by kgbuilder {by}, whose folders this program ({VERSION}) does not know. Start that "
            "version or a newer one, or name another folder in DATA_DIR."
        )


def check_and_mark(folder: Path) -> None:
    """As `check`; from now on the folder is this program's."""
    check(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if _mark(folder) != (FORMAT, VERSION):
        draft = folder / f"{MARK}.draft"
        draft.write_text(json.dumps({"format": FORMAT, "program": VERSION}))
        draft.replace(folder / MARK)


def check_database() -> None:
    """Raises NewerData where migrations that this program does not know were applied to the database."""
    unknown = sorted(applied() - set(MigrationExecutor(connection).loader.graph.nodes))
    if unknown:
        names = ", ".join(".".join(name) for name in unknown[:3])
        raise NewerData(
            f"The database was written by a newer kgbuilder: {names} {'is' if len(unknown) == 1 else 'are'} unknown to "
            f"this one ({VERSION}). Start the newer version again, or restore the backup that was made before it."
        )


def applied() -> set[tuple[str, str]]:
    """The applied migrations as (app, name); none where the database has no tables."""
    known = MigrationExecutor(connection).loader.graph.nodes
    ours = {app for app, _ in known}
    return {name for name in MigrationRecorder(connection).applied_migrations() if name[0] in ours}


def waiting() -> int:
    """How many migrations are not applied yet."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def back_up_before_migrating(folder: Path) -> Path | None:
    """A copy of a SQLite database that has rows and is about to be migrated, under `folder`/backups; the last few are
    kept. None: there was nothing to copy, or the database is not a file of ours."""
    if connection.vendor != "sqlite" or not applied() or not waiting():
        return None
    place = folder / "backups"
    place.mkdir(mode=0o700, exist_ok=True)
    copy = place / f"before-migration-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.sqlite3"
    copy_sqlite(copy)
    for old in sorted(place.glob("before-migration-*.sqlite3"))[:-BACKUPS_KEPT]:
        old.unlink()
    return copy


def copy_sqlite(target: Path) -> None:
    """A whole copy of the connected SQLite database as it stands now, while others write to it; checked."""
    source = str(connection.settings_dict["NAME"])
    draft = target.with_name(f"{target.name}.draft")
    draft.touch(mode=0o600)
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as here, closing(sqlite3.connect(draft)) as there:
        here.backup(there)
        there.execute("PRAGMA journal_mode=DELETE")
        [result] = there.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        draft.unlink()
        raise OSError(f"The copy of {source} is damaged ({result}); is the disk sound?")
    draft.replace(target)


def _mark(folder: Path) -> tuple[int, str]:
    """The format and the program that the folder names; (0, "") for a folder without a mark, or none: its use reports
    the error."""
    try:
        values = json.loads((folder / MARK).read_text())
        return int(values["format"]), str(values["program"])
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return 0, ""
    except (ValueError, KeyError, TypeError) as error:
        raise NewerData(f"{folder / MARK} cannot be read ({error}). Restore it, or remove it to continue.") from error
