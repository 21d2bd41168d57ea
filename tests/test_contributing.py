"""The table of folders in CONTRIBUTING.md lists the folders of the repository."""

from __future__ import annotations

import re
from pathlib import Path

from kgbuilder.conf.environment import ROOT

# Django's own folders, which need no explanation, and what Python leaves of a folder that has moved.
UNNAMED = {"management", "migrations", "templatetags", "__pycache__"}


def folders(package: Path) -> set[str]:
    inner = [path for path in package.iterdir() if path.is_dir() and path.name not in UNNAMED]
    return {path.name for path in inner if any(child.name not in UNNAMED for child in path.iterdir())}


def test_the_table_names_each_folder_of_the_code() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where things are")[2]
    named: dict[str, set[str]] = {}
    package = ""
    for cell in re.findall(r"^\| ([^|]*`[^|]*) \|", text, re.MULTILINE):
        names = re.findall(r"`(\w+)/?`", cell)
        if cell.startswith("**"):
            package = names[0]
        named.setdefault(package, set()).update([] if cell.startswith("**") else names)
    assert named == {name: folders(ROOT / name) for name in ("kgbuilder", "extraction", "knowledge", "training")}
