"""The page of entity types and relations equals the inventory."""

from __future__ import annotations

from extraction.labels import labels_doc
from kgbuilder.conf.values import ROOT


def test_the_page_of_labels_is_the_inventory() -> None:
    written = (ROOT / "docs" / "labels.md").read_text(encoding="utf-8")
    assert written == labels_doc.as_markdown(), "Run: manage.py labels_doc"


def test_a_row_has_ends_property_and_direction() -> None:
    rows = labels_doc.as_markdown().splitlines()
    assert "| `spouse` | spouse | person | person | P26, exact | symmetric |" in rows
    assert any(row.startswith("| `parent_taxon` ") and row.endswith("| P171, exact |  |") for row in rows)
    (contains,) = [row for row in rows if row.startswith("| `contains` ")]
    assert contains.endswith("inverse of `located_in` |")
