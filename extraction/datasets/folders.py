"""The folder of each data set. Separate from the loaders, because pages need it and must not import numpy."""

from __future__ import annotations

from extraction.labels import unversioned

MNRE = frozenset({"jmere", "mnre_none", "mnre"})  # one file of pairs, read in three ways


def folder_of(name: str) -> str:
    """The folder of a data set's files, within the folder of all data sets."""
    return "mnre" if name in MNRE else "crossre" if name.startswith("crossre") else unversioned(name)
