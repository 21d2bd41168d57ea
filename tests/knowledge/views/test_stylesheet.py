"""The colours of entity types: on light and dark pages every type has them, with enough contrast (WCAG AA)."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from extraction.labels import ENTITY_TYPES, LETTERS
from kgbuilder.conf.environment import ROOT

CSS = (ROOT / "static" / "kgbuilder.css").read_text(encoding="utf-8")
LEAST = 4.5  # WCAG 1.4.3
_LIGHT, _DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{([^}]*)\}", CSS)
)
SCHEMES = {"light": _LIGHT, "dark": _DARK}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("key", ENTITY_TYPES)
def test_a_type_is_legible_on_its_wash_and_on_the_page(key: str, scheme: str) -> None:
    colours = SCHEMES[scheme]
    for ground in (f"{key}-wash", "sheet", "paper"):
        assert contrast(colours[key], colours[ground]) >= LEAST, ground
    assert contrast(colours["ink"], colours[f"{key}-wash"]) >= LEAST


@pytest.mark.parametrize("key", ENTITY_TYPES)
def test_a_type_is_shown_by_a_letter_and_not_by_colour_alone(key: str) -> None:
    [letter] = re.findall(rf'\.t-{key} {{[^}}]*--letter: "(\w)"', CSS)
    [letter_of_corpora] = [letter for letter, type_key in LETTERS.items() if type_key == key]
    assert letter == letter_of_corpora


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_two_types_share_a_colour(scheme: str) -> None:
    colours = SCHEMES[scheme]
    assert [pair for pair in combinations(ENTITY_TYPES, 2) if colours[pair[0]] == colours[pair[1]]] == []


def test_the_console_colours_every_type() -> None:
    console = (ROOT / "static" / "console.css").read_text(encoding="utf-8")
    assert [key for key in ENTITY_TYPES if f".graph .{key} circle" not in console] == []
