"""A checkpoint's folder: written by training, read by the Extractor; nothing in it is trusted.

model.safetensors  weights, fp16          config.json     labels, sizes, thresholds, calibration, figures
pmi.safetensors    co-occurrence table    tokenizer.json  the encoder's word pieces         README.md  model card
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from extraction.calibration import Calibration
from extraction.cooccurrence import PmiTable
from extraction.features import SHAPES, Featurizer
from extraction.labels import Inventory
from extraction.networks.eega import EEGA, EEGAConfig
from extraction.networks.encoders import TextEncoder

SCHEMA = "kgbuilder.checkpoint/1"
SHIPPED = Path(__file__).parent / "weights" / "eega-minilm"
LARGEST_CONFIG = 4_000_000  # bytes
LARGEST_WEIGHTS = 4_000_000_000


class CheckpointError(Exception):
    """A checkpoint is missing, broken or not ours; the message says what to do."""


@dataclass(frozen=True)
class Manifest:
    """`config.json`: everything about a checkpoint that is not an array.

    `thresholds` are probabilities by relation key, "default" for the others; a relation below `floor` is not kept.
    """

    name: str
    network: EEGAConfig
    inventory: Inventory
    encoder: dict[str, Any]  # source, architecture
    pos: tuple[str, ...]
    deps: tuple[str, ...]
    parser: str
    title: bool = True
    pieces: int = 512
    floor: float = 0.05
    thresholds: dict[str, float] = field(default_factory=lambda: {"default": 0.5})
    calibration: Calibration = field(default_factory=Calibration)
    metrics: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    system: str = "eega"

    def as_dict(self) -> dict[str, Any]:
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        values["network"] = dataclasses.asdict(self.network)
        values["calibration"] = dataclasses.asdict(self.calibration)
        values["inventory"] = self.inventory.as_dict()
        return {"schema": SCHEMA, **values}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Manifest:
        """Raises CheckpointError where a part is missing or does not fit."""
        if values.get("schema") != SCHEMA or values.get("system") != "eega":
            raise CheckpointError(
                f"this checkpoint is of {values.get('schema')!r}, system {values.get('system')!r}; this version of "
                f"kgbuilder reads {SCHEMA!r}, system 'eega'. Use a checkpoint made by its own `manage.py train`."
            )
        rest = {key: value for key, value in values.items() if key != "schema"}
        try:
            rest["network"] = EEGAConfig(**rest["network"])
            rest["inventory"] = Inventory.from_dict(rest["inventory"])
            calibration = rest["calibration"]
            rest["calibration"] = Calibration(
                mention=tuple(calibration["mention"]),
                relation=tuple(calibration["relation"]),
                biases=dict(calibration["biases"]),
            )
            rest["pos"], rest["deps"] = tuple(rest["pos"]), tuple(rest["deps"])
            manifest = cls(**rest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"config.json is not a checkpoint's ({error!r})") from error
        manifest._check()
        return manifest

    def _check(self) -> None:
        sizes = (len(self.inventory.types), len(self.inventory.relations))
        if sizes != (self.network.types, self.network.relations):
            raise CheckpointError(
                f"config.json lists {sizes[0]} types and {sizes[1]} relations, but its network has "
                f"{self.network.types} and {self.network.relations}"
            )
        if (len(self.calibration.mention), len(self.calibration.relation)) != (2, 5):
            raise CheckpointError("config.json: a calibration has 2 numbers for mentions and 5 for relations")
        bad = {key: value for key, value in self.thresholds.items() if not 0 <= value <= 1}
        if bad or "default" not in self.thresholds or not 0 <= self.floor <= 1:
            raise CheckpointError(f"config.json: thresholds and the floor are probabilities, with a default one: {bad}")


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint; `digest` is the SHA-256 over weights and config, "" for one that was never saved."""

    manifest: Manifest
    network: EEGA
    featurizer: Featurizer
    digest: str = ""

    def save(self, folder: Path) -> Path:
        """Writes the folder's files (the model card is the trainer's); weights as fp16."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: tensor.detach().half().contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, folder / "model.safetensors")
        pmi = self.featurizer.pmi
        save_arrays({"keys": pmi.keys, "levels": pmi.levels}, folder / "pmi.safetensors")
        self.featurizer.tokenizer.save(str(folder / "tokenizer.json"))
        for name in ("model.safetensors", "pmi.safetensors"):
            (folder / name).chmod(0o644)  # safetensors writes them for their owner alone
        text = json.dumps(self.manifest.as_dict(), indent=1, ensure_ascii=False)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Reads and checks a checkpoint's folder. Raises CheckpointError with a sentence for people."""
        if not (folder / "config.json").is_file():
            raise CheckpointError(
                f"There is no checkpoint in {folder}. Set CHECKPOINT to a checkpoint's folder, leave it empty for the "
                "one shipped with kgbuilder, or make one with `manage.py train eega`."
            )
        manifest = _manifest(folder / "config.json")
        try:
            network = _network(manifest, folder / "model.safetensors")
            featurizer = _featurizer(manifest, folder)
        except CheckpointError:
            raise
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError, TypeError, IndexError) as error:
            raise CheckpointError(f"The checkpoint in {folder} cannot be read: {error}") from error
        except Exception as error:  # tokenizers raises bare Exception for a file that is not its own
            raise CheckpointError(f"The tokenizer.json in {folder} cannot be read: {error}") from error
        return cls(manifest, network, featurizer, digest(folder))


def digest(folder: Path) -> str:
    """SHA-256 over model.safetensors and config.json, in hexadecimal."""
    result = hashlib.sha256()
    for name in ("model.safetensors", "config.json"):
        with (folder / name).open("rb") as file:
            while block := file.read(1 << 20):
                result.update(block)
    return result.hexdigest()


def build(network: EEGAConfig, encoder: dict[str, Any]) -> EEGA:
    """A network of these sizes with random weights."""
    return EEGA(network, TextEncoder.blank(encoder["architecture"], len(SHAPES)))


def _manifest(path: Path) -> Manifest:
    if path.stat().st_size > LARGEST_CONFIG:
        raise CheckpointError(f"{path} is larger than {LARGEST_CONFIG} bytes: this is no checkpoint of ours")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} does not hold an object")
    return Manifest.from_dict(values)


def _network(manifest: Manifest, path: Path) -> EEGA:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: the checkpoint was not copied whole")
    if path.stat().st_size > LARGEST_WEIGHTS:
        raise CheckpointError(f"{path} is larger than {LARGEST_WEIGHTS} bytes")
    network = build(manifest.network, manifest.encoder)
    weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"the weights in {path} do not fit its config.json: {error}") from error
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise CheckpointError(f"{path} holds weights that are not finite")
    return network.eval()


def _featurizer(manifest: Manifest, folder: Path) -> Featurizer:
    arrays = load_arrays(folder / "pmi.safetensors")
    keys, levels = arrays["keys"].astype(np.uint64), arrays["levels"].astype(np.uint8)
    if keys.shape != levels.shape or keys.ndim != 1 or (keys[1:] <= keys[:-1]).any():
        raise CheckpointError(f"{folder / 'pmi.safetensors'} is not a sorted table of pairs")
    if len(levels) and levels.max() >= manifest.network.together:
        raise CheckpointError(f"{folder / 'pmi.safetensors'} has levels that the network does not know")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Featurizer(tokenizer, manifest.pos, manifest.deps, PmiTable(keys, levels, levels), manifest.pieces)
