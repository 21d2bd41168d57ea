"""Vision encoders by kind, and the ViT: states of patches from uint8 pictures.

The encoder is created before its network. Where no hub can be reached, no pretrained one is available: `blank` creates
one with random weights, and reports of metrics have to mention it.
"""

from __future__ import annotations

import json
from typing import Any

from torch import Tensor, nn

from extraction.networks.encoders.pyramid import Pyramid
from extraction.networks.encoders.text import VisionEncoderMissing

VIT = "google/vit-base-patch32-224-in21k"


def small(size: int = 224, patch: int = 32, width: int = 192, layers: int = 4) -> dict[str, Any]:
    """The architecture of a ViT that learns from scratch in minutes: for where nothing can be downloaded."""
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    return {"model_type": "vit", "image_size": size, "patch_size": patch, "num_attention_heads": 3, **sizes}


def tiny_vit(size: int = 32, patch: int = 16, width: int = 12) -> dict[str, Any]:
    """The architecture of a ViT for tests: one layer."""
    return small(size, patch, width, layers=1)


class ViT(nn.Module):
    """A Vision Transformer (Dosovitskiy et al. 2021) whose output is the states of its patches.

    The class token takes part in the attention, as in the pretrained model, and is left out of the output.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        config: Any = model.config
        self.width = int(config.hidden_size)
        self.size = int(config.image_size)
        self.patches = (self.size // int(config.patch_size)) ** 2

    @classmethod
    def pretrained(cls, source: str = VIT) -> ViT:
        """The ViT named `source` (a hub's name or a folder), with its weights. Raises VisionEncoderMissing."""
        from transformers import ViTModel

        try:
            return cls(ViTModel.from_pretrained(source, add_pooling_layer=False).float())
        except OSError as error:
            raise VisionEncoderMissing(
                f"The vision encoder {source} cannot be loaded. Put its files into a folder and name that, or train "
                f"with a blank one, whose weights start at random ({str(error).splitlines()[0][:200]})"
            ) from error

    @classmethod
    def blank(cls, architecture: dict[str, Any]) -> ViT:
        """A ViT of this architecture (`transformers` configuration as a dict) with random weights."""
        from transformers import ViTConfig, ViTModel

        options = {key: value for key, value in architecture.items() if key != "model_type"}
        return cls(ViTModel(ViTConfig(**options), add_pooling_layer=False))

    @property
    def architecture(self) -> dict[str, Any]:
        """What `blank` needs to build this encoder again; plain JSON."""
        config: dict[str, Any] = json.loads(self.model.config.to_json_string(use_diff=True))  # type: ignore[union-attr, operator]
        return {key: value for key, value in config.items() if not key.startswith("_")}

    def forward(self, pixels: Tensor) -> Tensor:
        """Pictures (N, 3, s, s) uint8 -> patches (N, P, D), row by row from the upper left corner."""
        hidden: Tensor = self.model(pixel_values=normalised(pixels)).last_hidden_state
        return hidden[:, 1:]


def normalised(pixels: Tensor) -> Tensor:
    """uint8 pixels as numbers from -1 to 1, as for the pretrained ViT."""
    return (pixels / 127.5).sub_(1.0)


VISION: dict[str, type[nn.Module]] = {"vit": ViT, "pyramid": Pyramid}
