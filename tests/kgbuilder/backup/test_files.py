"""Which files of DATA_DIR a backup includes, without a running product."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from extraction.models import Checkpoint
from kgbuilder.backup import create, database, paths

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DATA_DIR with files of each sort; the database is another test's."""
    monkeypatch.setattr(database, "save", lambda folder, manifest: None)
    settings.DATA_DIR = tmp_path / "data"
    names = (
        "media/a.jpg",
        "graph/store",
        "graph.damaged-20260101T000000Z/store",
        "graph-snapshots/1/store",
        "log/web.log",
        "secret_key",
        "index.sqlite3",
    )
    for name in names:
        (settings.DATA_DIR / name).parent.mkdir(parents=True, exist_ok=True)
        (settings.DATA_DIR / name).write_text("something")
    return tmp_path / "backup"


def taken(folder: Path) -> set[str]:
    data = folder / create.FILES
    return {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()}


def test_what_can_be_made_again_is_left_out_and_a_small_index_is_included(folder: Path, capsys) -> None:
    call_command("backup", str(folder))
    assert taken(folder) == {"media/a.jpg", "secret_key", "index.sqlite3"}
    assert "Not in it" not in capsys.readouterr().out


def test_a_large_index_is_left_out_with_a_message_unless_it_is_requested(
    folder: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "LARGEST_INDEX", 3)
    call_command("backup", str(folder))
    assert taken(folder) == {"media/a.jpg", "secret_key"}
    assert "Not in it: the index of Wikidata" in capsys.readouterr().out
    call_command("backup", str(folder.with_name("other")), "--with-index")
    assert taken(folder.with_name("other")) == {"media/a.jpg", "secret_key", "index.sqlite3"}
    assert "Not in it" not in capsys.readouterr().out


def test_an_installation_without_an_index_is_backed_up(folder: Path, settings) -> None:
    (settings.DATA_DIR / "index.sqlite3").unlink()
    call_command("backup", str(folder))
    assert taken(folder) == {"media/a.jpg", "secret_key"}


def test_a_checkpoint_in_the_programs_folder_is_included_and_the_shipped_one_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On another machine the program is there without what a run wrote beside it."""
    program = tmp_path / "program"
    places = {"run": program / "runs" / "mine", "shipped": program / "extraction" / "weights" / "one"}
    monkeypatch.setattr(paths, "ROOT", program)
    for name, place in places.items():
        place.mkdir(parents=True)
        Checkpoint.objects.create(name=name, digest=name, system="test", path=str(place), floor=0.05, thresholds={})
    assert paths.strays() == {"run": places["run"]}
