"""In which folder each data set lies. Apart from the loaders, for pages ask too, and these load no numpy."""

from __future__ import annotations

MNRE = frozenset({"jmere", "mnre_none", "mnre"})  # one file of pairs, read in three ways


def folder_of(name: str) -> str:
    """The folder in which a data set's files lie, in the one that holds them all."""
    return "mnre" if name in MNRE else "crossre" if name.startswith("crossre") else name
