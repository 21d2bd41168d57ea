"""The systems that can be trained and used, and the interface of their networks.

A network is a module made of a frozen config dataclass (the paper's defaults; values that the paper leaves open are
marked "ours"), a text encoder and, where its system has one, a vision encoder. A config's fields named as in `Sizes`
are filled from the vocabularies of the run; all others have defaults.

Vision encoders are in `vit.VISION`, a class by kind ("vit", "pyramid"), each with `pretrained(source)`,
`blank(architecture)`, `architecture` (plain JSON), and `forward(pixels)` over uint8 pictures (N, 3, s, s), which it
normalises itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from extraction.features.batch import OBJECT_EDGES, OBJECT_WIDTH, Batch, Needs
from extraction.features.cooccurrence import LEVELS
from extraction.features.featurizer import Featurizer
from extraction.features.visual_inputs import VisualInputs
from extraction.labels import Inventory
from extraction.networks.eega import EEGA, EEGAConfig
from extraction.networks.encoders.text import TextEncoder
from extraction.networks.focalmre import FocalMRE, FocalMREConfig
from extraction.networks.mega import MEGA, MEGAConfig
from extraction.networks.mtb import MTB, MTBConfig
from extraction.networks.relformer import RelFormer, RelFormerConfig
from extraction.networks.rsrnet import RSRNeT, RSRNeTConfig

HeadName = Literal["pair", "region_pair", "tags", "word_pairs"]
Vision = Literal["", "vit", "pyramid"]


class Network(Protocol):
    """The interface of a network for training, evaluation and the reader.

    `forward(batch)` gives a PairOutput (heads "pair" and "region_pair"), a TagOutput ("tags") or eega.WordStates.
    `loss` gives named scalars and their weighted sum as "total". A network with tags has `decode(output, batch)`, which
    gives BestTags of a TagOutput. No global randomness but dropout.
    """

    config: Any
    encoder: TextEncoder

    @property
    def needs(self) -> Needs: ...

    def __call__(self, batch: Batch) -> Any: ...

    def loss(self, batch: Batch, targets: Any) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run's vocabularies: a config's fields of these names are filled with them."""

    pos: int  # parts of speech, with padding at 0
    edges: int  # dependency types, with "not adjacent" at 0 and the self-loop at 1
    together: int  # levels of the co-occurrence channel
    types: int  # that a word pair may have: once for each form of mention
    relations: int
    labels: int  # of a pair: 1 + relations
    tags: int  # 1 + 2 * types
    object_width: int  # of an object's vector
    object_edges: int  # spatial relations, with none at 0 and the self-loop at 1
    classes: int  # of objects, with unknown at 0


def sizes_of(
    featurizer: Featurizer, names: Inventory, classes: Sequence[str] = (), inputs: VisualInputs | None = None
) -> Sizes:
    """The sizes of these vocabularies."""
    types, relations = len(names.types), len(names.relations)
    text = (featurizer.pos_size, featurizer.edge_size, LEVELS, len(names.tags), relations, 1 + relations, 1 + 2 * types)
    return Sizes(*text, (inputs or VisualInputs()).object_width, OBJECT_EDGES, 1 + len(classes))


@dataclass(frozen=True)
class System:
    """One entry of SYSTEMS. `heads[0]` is the default; a config with a `head` field gets the chosen one.

    `before`: the values of config fields that were added later, as networks were built without them.
    """

    config: type
    network: type[nn.Module]  # (config, text encoder) or, with `vision`, (config, text encoder, vision encoder | None)
    heads: tuple[HeadName, ...]
    vision: Vision = ""
    graph: bool = False  # whether it reads the dependency tree
    layered: bool = False  # whether it takes single layers of the text encoder, or adds a prefix to each
    before: Mapping[str, Any] = field(default_factory=dict)

    def configure(self, sizes: Sizes, head: str = "", **options: Any) -> Any:
        """The network's config for these vocabularies. Raises ValueError for an option that it does not have."""
        known = {field.name for field in dataclasses.fields(self.config)}
        if unknown := sorted(set(options) - known):
            raise ValueError(f"{self.config.__name__} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
        values = {name: value for name, value in vars(sizes).items() if name in known}
        if "head" in known:
            values["head"] = head or self.heads[0]
        return self.config(**{**values, **options})

    def configured(self, values: Mapping[str, Any]) -> Any:
        """The config that a checkpoint keeps. Raises TypeError for a field that there is not."""
        return self.config(**{**self.before, **values})

    def build(self, config: Any, text: nn.Module, vision: nn.Module | None = None) -> nn.Module:
        """The network, its own weights random."""
        return self.network(config, text, vision) if self.vision else self.network(config, text)


SYSTEMS: dict[str, System] = {
    "mtb": System(MTBConfig, MTB, ("pair",)),
    "mega": System(MEGAConfig, MEGA, ("pair",), graph=True),
    "focalmre": System(FocalMREConfig, FocalMRE, ("pair",), "vit"),
    "eega": System(EEGAConfig, EEGA, ("word_pairs",), graph=True),
    "rsrnet": System(RSRNeTConfig, RSRNeT, ("pair", "tags"), vision="pyramid", layered=True),
    "relformer": System(
        RelFormerConfig,
        RelFormer,
        ("region_pair", "pair"),
        vision="vit",
        layered=True,
        before={"skip": False, "scaled_boxes": False, "object_width": OBJECT_WIDTH},
    ),
}
