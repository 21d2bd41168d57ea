"""What becomes of a damaged store: it is set aside and an empty one begun, which the projectors fill from the record.

Only what the engine itself calls corruption counts: a full disk, or a store that another process holds, is no damage.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pyoxigraph

MARK = "kgbuilder-damaged"  # in the store's folder: damage was found while it was open
KEPT = 1  # the latest; a store that is damaged again and again must not fill the disk


def open_whole(folder: Path) -> pyoxigraph.Store:
    """The store in `folder`, made if there is none; an empty one where it is damaged. Raises OSError."""
    if (folder / MARK).exists():
        return _begun_anew(folder, (folder / MARK).read_text(errors="replace"))
    try:
        return pyoxigraph.Store(str(folder))
    except RuntimeError as error:
        if not is_damage(error):
            raise OSError(str(error)) from error
        return _begun_anew(folder, str(error))


def is_damage(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and "corruption" in str(error).lower()


def mark(folder: Path, error: BaseException) -> None:
    """Have the store set aside when it is opened next."""
    (folder / MARK).write_text(str(error)[:1000])


def set_aside(folder: Path) -> list[Path]:
    """The damaged stores that lie beside `folder`, the oldest first."""
    return sorted(folder.parent.glob(f"{folder.name}.damaged-*"))


def _begun_anew(folder: Path, reason: str) -> pyoxigraph.Store:
    for old in set_aside(folder)[: -KEPT + 1 or None]:
        shutil.rmtree(old, ignore_errors=True)
    target = folder.with_name(f"{folder.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    folder.rename(target)
    print(
        f"The graph in {folder} is damaged ({reason[:500]}). It was set aside as {target}, and an empty one was begun, "
        "which is filled from the record.",
        file=sys.stderr,
        flush=True,
    )
    folder.mkdir(mode=0o700)
    return pyoxigraph.Store(str(folder))
