"""The documentation names only what exists: commands, files of the repository, links, queries that are allowed.

Links between the pages of docs/ and their anchors are checked by `make docs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

from kgbuilder.conf.values import ROOT
from knowledge.graphs.neo4j import cypher_guard
from knowledge.graphs.rdf import sparql_guard

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
APPS = ("extraction", "kgbuilder", "knowledge", "training")
FOLDERS = (*APPS, "docs", "static", "templates", "tests")
CODE = {".py", ".html", ".js"}
CHECKS = {"sparql": sparql_guard.check, "cypher": cypher_guard.check}


def found(pattern: str, pages: tuple[Path, ...] = PAGES) -> Iterator[tuple[Path, str]]:
    for page in pages:
        for match in re.finditer(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            yield page, match[match.lastindex or 0]


def named_queries() -> list[tuple[str, str, str]]:
    return [(page.name, language, query) for language in CHECKS for page, query in found(rf"^```{language}\n(.*?)^```")]


def test_every_command_that_a_page_names_exists() -> None:
    named = list(found(r"manage\.py ([a-z_]+)"))
    assert named
    assert [(page.name, command) for page, command in named if command not in get_commands()] == []


def test_the_page_of_commands_lists_every_command() -> None:
    ours = {command for command, app in get_commands().items() if app in APPS}
    rows = [row for _, row in found(r"^\| (`.*?`) \| ", (ROOT / "docs" / "commands.md",))]
    assert {name for row in rows for name in re.findall(r"`([a-z_]+)", row)} == ours


def test_every_file_that_a_page_names_exists() -> None:
    named = list(found(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`"))
    assert named
    assert [(page.name, name) for page, name in named if not (ROOT / name).exists()] == []


def test_every_page_that_the_code_names_exists() -> None:
    sources = tuple(
        path for folder in (*APPS, "templates") for path in (ROOT / folder).rglob("*.*") if path.suffix in CODE
    )
    named = list(found(r"\bdocs/[\w/-]+\.md", (ROOT / "Makefile", ROOT / "CHANGELOG.md", *sources)))
    assert named
    assert [(path.name, name) for path, name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.name)
def test_links_from_the_root_lead_to_files(page: Path) -> None:
    targets = [target for _, target in found(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (page,))]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize(("page", "language", "query"), named_queries())
def test_example_queries_are_allowed(page: str, language: str, query: str) -> None:
    CHECKS[language](query)
