"""A run's network before its first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from extraction.features.featurizer import SHAPES
from extraction.networks.encoders.text import TextEncoder
from extraction.networks.encoders.vit import VISION
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import LoadedCheckpoint
from training.config import TrainConfig
from training.data.prepared import Vocabularies
from training.engine.transfer import grown


def new_network(config: TrainConfig, vocabularies: Vocabularies) -> Any:
    """The run's network before its first step: pre-trained encoders and, by the run's seed, random heads."""
    torch.manual_seed(config.seed)
    if config.start:
        start = LoadedCheckpoint.load(Path(config.start))
        same = start.manifest.inventory == vocabularies.inventory
        return start.network if same else grown(start, vocabularies, config.network)
    encoder = TextEncoder.pretrained(config.encoder, len(SHAPES), stock=config.dropout == "stock")
    return assembled(config, vocabularies, encoder)


def assembled(config: TrainConfig, vocabularies: Vocabularies, encoder: TextEncoder) -> Any:
    """The run's network around this text encoder, with room for its entity markers."""
    system = SYSTEMS[config.system]
    if vocabularies.markers:
        encoder.make_room(max(vocabularies.markers) + 1)
    seeing: Any = VISION[system.vision] if system.vision and config.vision else None
    eyes = None
    if seeing is not None:
        given = "architecture" in config.vision
        eyes = seeing.blank(config.vision["architecture"]) if given else seeing.pretrained(config.vision["source"])
    return system.build(system.configure(vocabularies.sizes, config.head, **config.network), encoder, eyes)
