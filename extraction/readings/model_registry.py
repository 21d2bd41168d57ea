"""Register checkpoint folders as rows: reads config.json and hashes the files, without importing a network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from extraction.labels import ENTITY_TYPES, REGION_RELATIONS, RELATIONS
from extraction.models import Checkpoint

HASHED = ("model.safetensors", "config.json")
LARGEST_CONFIG = 4_000_000  # bytes


class NoCheckpoint(Exception):
    """The folder holds no checkpoint; the message names the remedy."""


def register(folder: Path) -> Checkpoint:
    """The row of the checkpoint in a folder, created where there is none; a moved one is recognized by its digest.

    Raises NoCheckpoint.
    """
    config = _config(folder)
    row, _ = Checkpoint.objects.update_or_create(
        digest=digest(folder),
        defaults={
            "name": str(config.get("name") or folder.name)[:200],
            "system": str(config.get("system", ""))[:50],
            "path": str(folder),
            "floor": float(config.get("floor", 0.0)),
            "thresholds": {str(key): float(value) for key, value in config.get("thresholds", {}).items()},
            "metrics": config.get("metrics", {}),
            "facts": bool(_table(config.get("network")).get("knowledge", False)),
        },
    )
    return row


def unknown_labels(folder: Path) -> list[str]:
    """The entity types and relations of the checkpoint in `folder`, and the types of the one that finds its mentions,
    which the ontology lacks: a reading with one of them cannot be recorded. Raises NoCheckpoint.
    """
    config = _config(folder)
    inventory = _table(config.get("inventory"))
    types, relations = _listed(inventory.get("types")), _listed(inventory.get("relations"))
    finder = _table(config.get("mentions")).get("path")
    if finder and Path(str(finder)).is_dir():
        types = types + _listed(_table(_config(Path(str(finder))).get("inventory")).get("types"))
    keys = {str(_table(one).get("key")) for one in relations}
    return sorted({str(one) for one in types} - set(ENTITY_TYPES)) + sorted(keys - {*RELATIONS, *REGION_RELATIONS})


def finds_mentions(checkpoint: Checkpoint) -> bool:
    """Whether its files exist and it finds the mentions of a text by itself."""
    try:
        return _config(Path(checkpoint.path)).get("head") not in ("pair", "region_pair")
    except NoCheckpoint:
        return False


def digest(folder: Path) -> str:
    """SHA-256 over the weights and the config, in hexadecimal: the digest of its reader."""
    hashed = hashlib.sha256()
    for name in HASHED:
        path = folder / name
        if not path.is_file():
            raise NoCheckpoint(f"{path} is missing: the checkpoint was not copied whole.")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                hashed.update(block)
    return hashed.hexdigest()


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise NoCheckpoint(
            f"There is no checkpoint in {folder}. Set CHECKPOINT to a checkpoint's folder, or leave it empty for the "
            "one that ships; `manage.py train eega` makes one."
        )
    if path.stat().st_size > LARGEST_CONFIG:
        raise NoCheckpoint(f"{path} is larger than {LARGEST_CONFIG} bytes: it is no checkpoint's.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NoCheckpoint(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("thresholds", {}), dict):
        raise NoCheckpoint(f"{path} is not a checkpoint's config.")
    return config


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
