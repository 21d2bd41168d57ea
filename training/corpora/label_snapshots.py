"""Versions of the data set "labels": what editors have judged until a day, in DATA_DIR/labels/DATE.

A post's split is drawn by a digest of its id: nothing that an editor, the review queue or a reader does has any effect
on it, and it never changes. No run trains on dev and test: dev is for thresholds, test is the hold-out for figures.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from extraction.datasets.reviewed_text import ReviewedText, reviewed_from, row_of, versions
from extraction.labels import REVIEWED

HOLD_OUT, DEV = 0.2, 0.1  # shares of the reviewed posts
SPLITS = ("train", "dev", "test")
ABOUT = "snapshot.json"


class NothingJudged(Exception):
    """No editor has judged anything; the message is for people."""


@dataclass(frozen=True, slots=True)
class LabelSnapshot:
    """A version: its name as a data set, its posts by split, and how much is judged right and wrong."""

    name: str
    digest: str
    posts: dict[str, int]
    relations: int
    wrong_relations: int
    mentions: int
    wrong_mentions: int


def split_of(post: str) -> str:
    """The split of a post, by its public id."""
    share = int(hashlib.sha256(f"labels {post}".encode()).hexdigest()[:13], 16) / 16**13
    return "test" if share < HOLD_OUT else "dev" if share < HOLD_OUT + DEV else "train"


def write(rows: Iterable[dict[str, Any]], data_dir: Path, day: date) -> tuple[LabelSnapshot, bool]:
    """Saves a version, and gives it with True; the latest one with False where nothing has changed since.

    Raises NothingJudged, and OSError where it cannot be stored.
    """
    texts = [reviewed_from(row) for row in rows]
    if not texts:
        raise NothingJudged("No editor has accepted, rejected or corrected anything yet: there are no labels.")
    folder = data_dir / REVIEWED
    folder.mkdir(parents=True, exist_ok=True)
    contents = {split: _lines(one for one in texts if split_of(one.annotation.id) == split) for split in SPLITS}
    digest = hashlib.sha256(json.dumps(contents).encode()).hexdigest()
    known = versions(folder)
    if known and (latest := about(folder / known[-1])).digest == digest:
        return latest, False
    return _saved(folder, contents, _counted(_free(known, day), digest, texts)), True


def about(version: Path) -> LabelSnapshot:
    return LabelSnapshot(**json.loads((version / ABOUT).read_text(encoding="utf-8")))


def _lines(texts: Iterable[ReviewedText]) -> str:
    return "".join(json.dumps(row_of(one), ensure_ascii=False) + "\n" for one in texts)


def _free(known: list[str], day: date) -> str:
    first = day.isoformat()
    names = (first if number == 1 else f"{first}-{number}" for number in range(1, len(known) + 2))
    return next(name for name in names if name not in known)


def _counted(version: str, digest: str, texts: list[ReviewedText]) -> LabelSnapshot:
    return LabelSnapshot(
        name=f"{REVIEWED}-{version}",
        digest=digest,
        posts={split: sum(split_of(one.annotation.id) == split for one in texts) for split in SPLITS},
        relations=sum(len(one.annotation.relations) for one in texts),
        wrong_relations=sum(len(one.wrong_relations) for one in texts),
        mentions=sum(len(one.annotation.mentions) - len(one.unjudged) for one in texts),
        wrong_mentions=sum(len(one.wrong_mentions) for one in texts),
    )


def _saved(folder: Path, contents: dict[str, str], snapshot: LabelSnapshot) -> LabelSnapshot:
    """Whole or not at all. Two at once: the second one fails, and nothing is overwritten."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    try:
        draft.chmod(0o755)
        for split, lines in contents.items():
            (draft / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        (draft / ABOUT).write_text(json.dumps(asdict(snapshot), indent=1) + "\n", encoding="utf-8")
        draft.rename(folder / snapshot.name.removeprefix(f"{REVIEWED}-"))
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return snapshot
