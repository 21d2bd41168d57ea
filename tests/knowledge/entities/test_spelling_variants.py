"""Names that are spelt otherwise: which are alike, and how the index and the record find them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from hypothesis import given
from hypothesis import strategies as st

from kgbuilder.benchmarks.linking import generated
from knowledge.entities import spelling_variants
from knowledge.linking.candidate_ranking import Question
from knowledge.linking.linker import Linker
from knowledge.sources import index_builder
from knowledge.sources.local_index import SCHEMA, LocalIndex
from knowledge.sources.protocol import Known, SourceUnavailable

ZELENSKY = Known("Q1", "Volodymyr Zelensky", "president", ("Volodymyr Zelensky",), ("person",), 90)
MUELLER = Known("Q2", "Thomas Müller", "footballer", ("Thomas Müller",), ("person",), 50)
WALESA = Known("Q3", "Lech Wałęsa", "president", ("Lech Wałęsa",), ("person",), 40)
SMYTH = Known("Q4", "Ann Smyth", "writer", ("Ann Smyth",), ("person",), 30)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "Mueller"),
        ("Müller", "MULLER"),
        ("Erling Håland", "Erling Haaland"),
        ("Sørensen", "Soerensen"),
        ("Sørensen", "Sorensen"),
        ("Lech Wałęsa", "Lech Walesa"),
        ("Zelenskyy", "Zelensky"),
        ("Trotskii", "Trotsky"),
        ("O’Neil", "O'Neil"),
        ("Jean-Luc Godard", "Jean Luc Godard"),
        ("St. Ives", "St Ives"),
        ("Зеленский", "Zelenskyy"),
        ("ЗЕЛЕНСКИЙ", "Zelensky"),
        ("Володимир Зеленський", "Volodymyr Zelenskyy"),
        ("Ельцин", "Yeltsin"),
        ("Алексей Навальный", "Alexei Navalny"),
        ("Чайковский", "Tchaikovsky"),
        ("Αλέξης Τσίπρας", "Alexis Tsipras"),
    ],
)
def test_alike(one: str, other: str) -> None:
    assert spelling_variants.alike(one, other) and spelling_variants.alike(other, one)
    assert _finds(one, other) and _finds(other, one), "what is stored of the one is sought of the other"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mueller", "Muller"),
        ("Michael Novak", "Michał Novak"),
        ("John Smith", "John Smyth"),
        ("Henri Martin", "Henry Martin"),
        ("王伟", "王维"),
        ("Pаypal", "Paypal"),  # its second letter is Cyrillic
        ("C++", "C"),
        ("3.5", "35"),
        ("Ли", "Li"),
        ("x" * 400, "X" * 400 + "."),
    ],
)
def test_not_alike(one: str, other: str) -> None:
    assert not spelling_variants.alike(one, other) and not spelling_variants.alike(other, one)
    assert not _finds(one, other) and not _finds(other, one)


def _finds(one: str, other: str) -> bool:
    from knowledge.entities.names import name_key

    stored, plain = spelling_variants.sought(one)
    return bool(stored & spelling_variants.stored(other)) or name_key(other) in plain | {name_key(one)}


@given(st.text(max_size=40))
def test_any_text_has_keys_that_fit_and_no_sign_of_a_query(name: str) -> None:
    for key in (*spelling_variants.stored(name), *spelling_variants.sought(name)[0]):
        assert 1 < len(key) <= 510
    assert spelling_variants.alike(name, name)


@pytest.fixture
def index(tmp_path: Path) -> LocalIndex:
    index_builder.build(tmp_path / "index.sqlite3", "these", [ZELENSKY, MUELLER, WALESA, SMYTH])
    return LocalIndex(tmp_path / "index.sqlite3")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Thomas Mueller", ["Q2"]),
        ("Mueller", ["Q2"]),
        ("Muller", ["Q2"]),
        ("Lech Walesa", ["Q3"]),
        ("Walesa", ["Q3"]),
        ("Volodymyr Zelenskyy", ["Q1"]),
        ("Zelenskyy", ["Q1"]),
        ("Володимир Зеленський", ["Q1"]),
        ("Зеленский", ["Q1"]),
        ("Smith", []),
        ('объе"кт', []),
        ("съезд OR Smyth", []),
    ],
)
def test_the_index_finds_a_name_however_it_is_spelt(index: LocalIndex, name: str, found: list[str]) -> None:
    assert index.search(name, 5) == found


def test_a_name_that_is_spelt_otherwise_is_linked(index: LocalIndex) -> None:
    linker = Linker.shipped([index])
    for name, wanted in [("Володимир Зеленський", "Q1"), ("Thomas Mueller", "Q2"), ("Ann Smith", "")]:
        [found] = linker.link([Question(name, "person", f"{name} spoke.")])
        assert found.chosen == wanted


def test_an_index_of_an_earlier_version_is_reported_and_rewritten(index: LocalIndex, tmp_path: Path) -> None:
    path, before = tmp_path / "index.sqlite3", index.describe(["Q1", "Q2", "Q3", "Q4"])
    old = sqlite3.connect(path)
    with old:
        old.execute("UPDATE about SET value = '1' WHERE key = 'schema'")
        old.execute("DROP TABLE spelling")
    old.close()
    with pytest.raises(SourceUnavailable, match=f"version 1, and this program reads version {SCHEMA}.*build_index"):
        LocalIndex(path)
    call_command("build_index", out=path)
    renewed = LocalIndex(path)
    assert renewed.describe(["Q1", "Q2", "Q3", "Q4"]) == before
    assert (renewed.search("Mueller", 5), renewed.size()) == (["Q2"], 4)
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(CommandError, match="not an index"):
        call_command("build_index", out=path)
    with pytest.raises(CommandError, match="no index at"):
        call_command("build_index", out=tmp_path / "none")


def test_no_look_up_goes_through_all_names(tmp_path: Path) -> None:
    """Each question has an index that answers it, so a larger one costs little more."""
    index_builder.build(tmp_path / "index.sqlite3", "generated", generated(2000, seed=1))
    index = LocalIndex(tmp_path / "index.sqlite3")
    asked: list[str] = []
    index._database.set_trace_callback(asked.append)
    name = next(generated(1, seed=1)).label
    for one in (name, name.split()[-1], "Зеленский", "Müller"):
        index.describe(index.search(one, 30))
    index._database.set_trace_callback(None)
    ours = [sql for sql in asked if sql.startswith("SELECT")]  # and not what the full-text index asks itself
    plans = [row[3] for sql in ours for row in index._database.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(ours) >= 8 and any("SEARCH name" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith(("SCAN name", "SCAN spelling"))]
