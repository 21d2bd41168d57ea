"""Checkpoint folders: written by training, loaded by readers, and checked as untrusted input.

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

from extraction.features.cooccurrence import LEVELS, PmiTable
from extraction.features.entity_markers import MARKERS
from extraction.features.featurizer import SHAPES, Featurizer
from extraction.features.visual_inputs import VisualInputs, of_before
from extraction.labels import Inventory
from extraction.networks.encoders import onnx_text
from extraction.networks.encoders.onnx_text import OnnxTextEncoder
from extraction.networks.encoders.text import EncoderMissing, TextEncoder, VisionEncoderMissing
from extraction.networks.encoders.vit import VISION
from extraction.networks.systems import SYSTEMS, HeadName
from extraction.reader.calibration import Calibration

SCHEMA = "kgbuilder.checkpoint/2"
FIRST_SCHEMA = "kgbuilder.checkpoint/1"  # EEGA's text side alone
SHIPPED = Path(__file__).parents[1] / "weights" / "eega-news"
LARGEST_CONFIG = 4_000_000  # bytes
LARGEST_WEIGHTS = 4_000_000_000
BROKEN = (OSError, SafetensorError, KeyError, ValueError, RuntimeError, TypeError, IndexError, AttributeError)


class CheckpointError(Exception):
    """A checkpoint is missing, broken or of another program; the message names the remedy."""


@dataclass(frozen=True)
class Manifest:
    """`config.json`: everything about a checkpoint that is not an array.

    `thresholds` are probabilities by relation key, "default" for the others; a relation below `floor` is not kept.
    `classes` are the objects' classes that the network knows. `mentions`: path and digest of the checkpoint that finds
    the mentions for a pair system; empty = the one shipped with kgbuilder. `window`: how many pieces of neighbouring
    sentences the encoder reads together; 0 = each sentence alone. `inputs`: what the network was given of pictures and
    facts, and from where; None in checkpoints made before decision 32.
    """

    name: str
    network: Any  # the system's config
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
    head: HeadName = "word_pairs"
    vision: dict[str, Any] = field(default_factory=dict)  # source, architecture; empty = no vision encoder
    classes: tuple[str, ...] = ()
    mentions: dict[str, str] = field(default_factory=dict)
    window: int = 0
    inputs: VisualInputs | None = None

    @property
    def given(self) -> VisualInputs:
        """`inputs`, or what is known of them where the checkpoint does not say."""
        return self.inputs or of_before(self.data, bool(self.training.get("config", {}).get("images")))

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets that the network was trained on, whose labels it may have."""
        return tuple(self.training.get("config", {}).get("data", ()))

    def as_dict(self) -> dict[str, Any]:
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        values["network"] = dataclasses.asdict(self.network)
        values["calibration"] = dataclasses.asdict(self.calibration)
        values["inventory"] = self.inventory.as_dict()
        values["inputs"] = self.inputs and self.inputs.as_dict()
        return {"schema": SCHEMA, **values}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Manifest:
        """Parse what `as_dict` wrote. Raises CheckpointError where a value is missing or does not fit."""
        schema, system = values.get("schema"), values.get("system")
        if schema not in (SCHEMA, FIRST_SCHEMA) or system not in (SYSTEMS if schema == SCHEMA else ("eega",)):
            raise CheckpointError(
                f"this checkpoint is of {schema!r}, system {system!r}; this version of kgbuilder reads {SCHEMA!r} and "
                f"{FIRST_SCHEMA!r}, systems {', '.join(SYSTEMS)}. Use a checkpoint made by its own `manage.py train`."
            )
        rest = {key: value for key, value in values.items() if key != "schema"}
        try:
            rest["network"] = SYSTEMS[rest["system"]].configured(rest["network"])
            rest["inventory"] = Inventory.from_dict(rest["inventory"])
            calibration = rest["calibration"]
            rest["calibration"] = Calibration(
                mention=tuple(calibration["mention"]),
                relation=tuple(calibration["relation"]),
                biases=dict(calibration["biases"]),
            )
            rest["pos"], rest["deps"] = tuple(rest["pos"]), tuple(rest["deps"])
            rest["classes"] = tuple(rest.get("classes", ()))
            rest["inputs"] = VisualInputs(**rest["inputs"]) if rest.get("inputs") else None
            manifest = cls(**rest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"config.json is not a checkpoint's ({error!r})") from error
        manifest._check()
        return manifest

    def _check(self) -> None:
        if self.head not in SYSTEMS[self.system].heads:
            raise CheckpointError(f"config.json: {self.system} has no head {self.head!r}")
        types, relations = len(self.inventory.types), len(self.inventory.relations)
        expected = {
            "types": len(self.inventory.tags),
            "relations": relations,
            "labels": 1 + relations,
            "tags": 1 + 2 * types,
        }
        used = {"word_pairs": ("types", "relations"), "tags": ("tags",)}.get(self.head, ("labels",))
        for name in used:
            has = getattr(self.network, name, expected[name])
            if has != expected[name]:
                raise CheckpointError(
                    f"config.json lists {types} types and {relations} relations, but its network has {has} {name} "
                    f"where these make {expected[name]}"
                )
        if (len(self.calibration.mention), len(self.calibration.relation)) != (2, 5):
            raise CheckpointError("config.json: a calibration has 2 numbers for mentions and 5 for relations")
        bad = {key: value for key, value in self.thresholds.items() if not 0 <= value <= 1}
        if bad or "default" not in self.thresholds or not 0 <= self.floor <= 1:
            raise CheckpointError(f"config.json: thresholds and the floor are probabilities, with a default one: {bad}")


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A loaded checkpoint; `digest` is the SHA-256 over weights and config, "" for one that was never saved."""

    manifest: Manifest
    network: Any  # of the system's class: a networks.system.Network
    featurizer: Featurizer
    digest: str = ""

    def save(self, folder: Path) -> Path:
        """Write the folder's files, weights as fp16; training adds the model card. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: _as_fp16(tensor) for name, tensor in self.network.state_dict().items()}
        pmi = self.featurizer.pmi
        try:
            save_file(weights, folder / "model.safetensors")
            save_arrays({"keys": pmi.keys, "levels": pmi.levels}, folder / "pmi.safetensors")
        except SafetensorError as error:  # raised for a full disk, for example
            raise OSError(f"The checkpoint cannot be written to {folder}: {error}") from error
        self.featurizer.tokenizer.save(str(folder / "tokenizer.json"))
        for name in ("model.safetensors", "pmi.safetensors"):
            (folder / name).chmod(0o644)  # safetensors makes them readable for their owner only
        text = json.dumps(self.manifest.as_dict(), indent=1, ensure_ascii=False)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: Path, reads_on: str = "") -> LoadedCheckpoint:
        """Read and check a checkpoint's folder. Raises CheckpointError with a sentence for people.

        `reads_on`: the device of a reader, that needs no more than the network's results: its text encoder may be one
        that is faster there and can neither be trained nor saved.
        """
        if not (folder / "config.json").is_file():
            raise CheckpointError(
                f"There is no checkpoint in {folder}. Set CHECKPOINT to a checkpoint's folder, leave it empty for the "
                "one shipped with kgbuilder, or make one with `manage.py train`."
            )
        manifest = _manifest(folder / "config.json")
        try:
            network = _network(manifest, folder / "model.safetensors", reads_on)
            featurizer = _featurizer(manifest, folder)
        except CheckpointError:
            raise
        except (*BROKEN, EncoderMissing, VisionEncoderMissing) as error:
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


def build(system: str, network: Any, text: TextEncoder | OnnxTextEncoder, vision: dict[str, Any] | None = None) -> Any:
    """A network of these sizes with this text encoder; its other weights are random."""
    entry = SYSTEMS[system]
    vision_class: Any = VISION[entry.vision] if entry.vision and vision else None
    vision_encoder = vision_class.blank(vision["architecture"]) if vision_class and vision else None
    return entry.build(network, text, vision_encoder)


def _text_encoder(manifest: Manifest, weights: dict[str, torch.Tensor], reads_on: str) -> TextEncoder | OnnxTextEncoder:
    """The encoder for these weights; one on onnxruntime takes its own weights out of them."""
    architecture = manifest.encoder["architecture"]
    if not reads_on or SYSTEMS[manifest.system].layered or not onnx_text.is_available(architecture, reads_on):
        return TextEncoder.blank(architecture, len(SHAPES))
    prefix = "encoder."
    own = {name.removeprefix(prefix): weights.pop(name) for name in list(weights) if name.startswith(prefix)}
    return OnnxTextEncoder(architecture, own, torch.get_num_threads())


def _as_fp16(tensor: torch.Tensor) -> torch.Tensor:
    """A weight as it is stored: floats as fp16, integers unchanged."""
    weight = tensor.detach().cpu()
    return (weight.half() if weight.is_floating_point() else weight).contiguous()


def _manifest(path: Path) -> Manifest:
    if path.stat().st_size > LARGEST_CONFIG:
        raise CheckpointError(f"{path} is larger than {LARGEST_CONFIG} bytes: this is not a checkpoint of kgbuilder")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} does not hold an object")
    return Manifest.from_dict(values)


def _network(manifest: Manifest, path: Path, reads_on: str) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: the checkpoint was not copied whole")
    if path.stat().st_size > LARGEST_WEIGHTS:
        raise CheckpointError(f"{path} is larger than {LARGEST_WEIGHTS} bytes")
    weights = {name: one.float() if one.is_floating_point() else one for name, one in load_file(path).items()}
    # A sum is finite only of finite numbers, and is a tenth of the work of a test of each.
    if not all(torch.isfinite(tensor.sum()) for tensor in weights.values()):
        raise CheckpointError(f"{path} holds weights that are not finite")
    try:
        text = _text_encoder(manifest, weights, reads_on)
        network = build(manifest.system, manifest.network, text, manifest.vision)
        network.load_state_dict(weights)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"the weights in {path} do not fit its config.json: {error}") from error
    network.eval()
    return network


def _featurizer(manifest: Manifest, folder: Path) -> Featurizer:
    arrays = load_arrays(folder / "pmi.safetensors")
    keys, levels = arrays["keys"].astype(np.uint64), arrays["levels"].astype(np.uint8)
    if keys.shape != levels.shape or keys.ndim != 1 or (keys[1:] <= keys[:-1]).any():
        raise CheckpointError(f"{folder / 'pmi.safetensors'} is not a sorted table of pairs")
    if len(levels) and levels.max() >= getattr(manifest.network, "together", LEVELS):
        raise CheckpointError(f"{folder / 'pmi.safetensors'} has levels that the network does not know")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if manifest.head in ("pair", "region_pair") and any(tokenizer.token_to_id(marker) is None for marker in MARKERS):
        raise CheckpointError(
            f"{folder / 'tokenizer.json'} lacks the entity markers that this network was trained with"
        )
    return Featurizer(tokenizer, manifest.pos, manifest.deps, PmiTable(keys, levels, levels), manifest.pieces)
