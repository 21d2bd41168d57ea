"""FocalMRE: focal frames on the whole picture, focal attention, gates.

Focus & Gating: A Multimodal Approach for Unveiling Relations in Noisy Social Media. Anonymous draft, ACM Multimedia
2024. Equation numbers are the paper's.

    words with [E1] [/E1] [E2] [/E2] ─▶ text encoder (Eq. 1) ─▶ h_text ──────────────────────────────┐
    the whole picture, one copy with each region's frame ─▶ ViT (Eq. 2) ─▶ patches ─▶ attention of   │
      words over patches (Eq. 3) ─▶ h_image ────────────────────────────────────────────────────────┬┴▶ gate (Eq. 4)
                                                                                                    ▼
       relation ◀─ MLP (Eq. 7) ◀─ [VG at E1; VG at E2; OD at E1; OD at E2] (Eq. 6) ◀─ mean over frames (Eq. 5)

VG are regions grounded by the sentence's nouns and entities, OD detected objects. How frames are drawn is described in
extraction/vision/focal_frames.py.

Differences from the paper, numbered.

 1. Eq. 3-5 are computed at the two start markers alone: Eq. 6 reads no other word, so the answer is the same.
 2. The gate is a vector for each word (open: "U and V are trainable variables", and lambda reads like a scalar), with a
    bias, by which lambda starts around `gate_start` (open).
 3. Eq. 5's weighted average is divided by the sum of the weights of the frames that exist. Divided by nothing, it would
    let the number of frames through, which in MNRE's published grounding regions gives the label away.
 4. No frame of a kind: the plain picture stands in for it. No picture: h_text alone. Never a black picture.
 5. Attention and gate are shared by all slots (open).
 6. Eq. 6 as printed takes the OD head twice; here head and tail.
 7. The MLP has one hidden layer of `hidden` (open).
 8. Keys and values map from the vision encoder's width to the text encoder's: they need not be equal.

Switches (Tables 3 and 5, Figure 3): `gate=False` is lambda = 0.5; `attention=False` is the mean patch for every word;
`input` is the frames, the regions cut out, or the original picture; `grounded` and `detected` are the most frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from extraction.features.batch import Batch, Needs, Pictures, PictureUse
from extraction.features.targets import PairTargets
from extraction.networks.encoders.text import TextEncoder, gather_words
from extraction.networks.outputs import PairOutput
from extraction.networks.pairs import pair_loss, pair_states, pairs_of

GROUNDED = slice(1, 5)  # the slots of each kind in `Pictures`; slot 0 is the plain picture
DETECTED = slice(5, 8)
VIEWS: dict[str, PictureUse] = {"frames": "focal", "crops": "crops", "original": "whole"}
SMALLEST = 1e-6


@dataclass(frozen=True)
class FocalMREConfig:
    """Sizes of the network; the paper's values, but those marked."""

    labels: int  # with none at 0
    size: int = 224  # pixels of a frame's sides
    grounded: int = 4  # frames of each kind, at most
    detected: int = 3
    input: Literal["frames", "crops", "original"] = "frames"
    gate: bool = True
    gate_start: float = 0.5  # lambda before training, by the gate's bias; ours
    attention: bool = True
    hidden: int = 768  # ours
    attention_dropout: float = 0.1
    dropout: float = 0.1  # ours


class FocalAttention(nn.Module):
    """Attention of words over the patches of one frame: one head, d_k the words' width (Eq. 3)."""

    def __init__(self, width: int, patches: int, config: FocalMREConfig) -> None:
        """`patches`: the width of a patch's state."""
        super().__init__()
        self.query = nn.Linear(width, width) if config.attention else None
        self.key = nn.Linear(patches, width) if config.attention else None
        self.value = nn.Linear(patches, width)
        self.dropout = nn.Dropout(config.attention_dropout)

    def forward(self, words: Tensor, patches: Tensor) -> Tensor:
        """Words (F, w, d) and their frame's patches (F, P, d_v) -> attended states (F, w, d)."""
        weights = self.weights(words, patches).to(patches.dtype)
        attended: Tensor = self.dropout(weights) @ self.value(patches)
        return attended

    def weights(self, words: Tensor, patches: Tensor) -> Tensor:
        """The share of each patch in a word's attention (F, w, P); without attention the same for all."""
        if self.query is None or self.key is None:
            return patches.new_full((len(words), words.shape[1], patches.shape[1]), 1.0 / patches.shape[1])
        scores = self.query(words) @ self.key(patches).transpose(1, 2) / math.sqrt(words.shape[-1])
        return torch.softmax(scores.float(), dim=-1)


class Gate(nn.Module):
    """h = (1 - lambda) h_text + lambda h_image, lambda = sigmoid(U h_text + V h_image + b) (Eq. 4)."""

    def __init__(self, width: int, gate: bool, start: float = 0.5) -> None:
        super().__init__()
        if not 0 < start < 1:
            raise ValueError(f"the gate starts with a share between 0 and 1, not {start:g}")
        self.text = nn.Linear(width, width) if gate else None
        self.image = nn.Linear(width, width, bias=False) if gate else None
        if self.text is not None:
            nn.init.constant_(self.text.bias, math.log(start / (1 - start)))

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """Both (F, w, d) -> (F, w, d)."""
        share = self.share(text, image)
        return (1 - share) * text + share * image

    def share(self, text: Tensor, image: Tensor) -> Tensor:
        """lambda (F, w, d): one half where there is no gate."""
        if self.text is None or self.image is None:
            return torch.full_like(image, 0.5)
        return torch.sigmoid(self.text(text) + self.image(image))


class FocalFusion(nn.Module):
    """The average over the frames of one kind, each slot with a learnt weight (Eq. 5)."""

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(slots))

    def forward(self, frames: Tensor, present: Tensor, stand_in: Tensor) -> Tensor:
        """Frames (B, s, w, d), which exist (B, s), and the state to use where none does (B, w, d) -> (B, w, d)."""
        weights = self.weight * present  # (B, s)
        total = weights.sum(1, keepdim=True)
        safe = torch.where(total.abs() < SMALLEST, torch.ones_like(total), total)
        average = torch.einsum("bs,bswd->bwd", (weights / safe).to(frames.dtype), frames)
        return torch.where((weights != 0).any(1)[:, None, None], average, stand_in)


class FocalMRE(nn.Module):
    """The whole network. `vision` has a `width` and gives patches (N, P, width) of uint8 pictures (N, 3, s, s)."""

    def __init__(self, config: FocalMREConfig, encoder: TextEncoder, vision: Any) -> None:
        super().__init__()
        if getattr(vision, "size", config.size) != config.size:
            raise ValueError(f"the vision encoder reads pictures of {vision.size} pixels a side, not {config.size}")
        self.config, self.encoder, self.vision = config, encoder, vision
        width = encoder.width
        self.attend = FocalAttention(width, vision.width, config)
        self.gate = Gate(width, config.gate, config.gate_start)
        self.grounded, self.detected = (FocalFusion(count) for count in (config.grounded, config.detected))
        self.head = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(4 * width, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.labels),
        )

    @property
    def needs(self) -> Needs:
        return Needs(markers=True, pictures=VIEWS[self.config.input], size=self.config.size)

    def forward(self, batch: Batch) -> PairOutput:
        hidden = self.encoder(batch.ids, batch.shapes, batch.pieces)  # Eq. 1 (B, L, d)
        entities = pair_states(hidden, pairs_of(batch))  # h_text at both start markers (B, 2, d)
        fused, present = self._fused(entities, batch.pictures)  # (B, 8, 2, d), (B, 8)
        plain = torch.where(present[:, :1, None], fused[:, 0], entities)
        kinds = [
            fusion(fused[:, kind], present[:, kind], plain)
            for fusion, kind in ((self.grounded, self._slots(GROUNDED)), (self.detected, self._slots(DETECTED)))
        ]
        return PairOutput(self.head(torch.cat([kind.flatten(1) for kind in kinds], dim=1)))  # Eq. 6-7

    def loss(self, batch: Batch, targets: PairTargets) -> dict[str, Tensor]:
        """The cross-entropy of the pairs' labels."""
        return pair_loss(self(batch), targets)

    @torch.no_grad()
    def attention_weights(self, batch: Batch) -> Tensor | None:
        """The share of each patch in a word's attention (B, n, P), for display: over the frames, each by its weight of
        Eq. 5 and by the mean lambda of Eq. 4 with which its picture counts for the word; 0 where there is no picture,
        None where no row has one. `frame_attention` has each frame's own."""
        if batch.pictures is None:
            return None
        found = self.frame_attention(batch)
        if found is None:
            return None
        rows, slots, weights, gates = found
        importance = gates * self._slot_weights()[slots].clamp(min=0.0).unsqueeze(1)  # (F, n)
        count = len(batch.real)
        total = weights.new_zeros(count, *weights.shape[1:]).index_add(0, rows, weights * importance.unsqueeze(-1))
        whole = importance.new_zeros(count, importance.shape[1]).index_add(0, rows, importance)
        return total / whole.clamp(min=SMALLEST).unsqueeze(-1) * batch.real.unsqueeze(-1)

    @torch.no_grad()
    def frame_attention(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """Of every frame that is shown its row and slot (F,), the words' attention over its patches (F, n, P), and the
        mean lambda with which it counts for each word (F, n), as in the paper's Fig. 4; None without any."""
        if batch.pictures is None:
            return None
        hidden = self.encoder(batch.ids, batch.shapes, batch.pieces)
        words = gather_words(hidden, batch.first)
        rows, slots = self._shown(batch.pictures).nonzero(as_tuple=True)
        if not len(rows):
            return None
        patches = self.vision(batch.pictures.pixels[rows, slots])
        gates = self.gate.share(words[rows], self.attend(words[rows], patches)).float().mean(-1)
        return rows, slots, self.attend.weights(words[rows], patches), gates

    def _slot_weights(self) -> Tensor:
        """Eq. 5's weight of each slot (8,): the plain picture, which stands in for a kind, counts whole."""
        weights = self.grounded.weight.new_ones(DETECTED.stop)
        for fusion, kind in ((self.grounded, GROUNDED), (self.detected, DETECTED)):
            used = self._slots(kind)
            weights[used] = fusion.weight.detach()
        return weights

    def _slots(self, kind: slice) -> slice:
        """The slots of this kind that the network reads."""
        return slice(kind.start, kind.start + (self.config.grounded if kind is GROUNDED else self.config.detected))

    def _fused(self, entities: Tensor, pictures: Pictures | None) -> tuple[Tensor, Tensor]:
        """Eq. 2-4 for every frame that exists, in one pass: what the entities become beside each slot, 0 elsewhere."""
        count = DETECTED.stop
        fused = entities.new_zeros(len(entities), count, *entities.shape[1:])
        present = torch.zeros(len(entities), count, dtype=torch.bool, device=entities.device)
        if pictures is None:
            return fused, present
        shown = self._shown(pictures)
        present[:, : shown.shape[1]] = shown
        rows, slots = shown.nonzero(as_tuple=True)
        if len(rows):
            patches = self.vision(pictures.pixels[rows, slots])  # (F, P, d_v)
            text = entities[rows]
            states = self.gate(text, self.attend(text, patches))
            fused = fused.to(states.dtype).index_put((rows, slots), states)
        return fused, present

    def _shown(self, pictures: Pictures) -> Tensor:
        """The frames to encode (B, f): those that are used, and the plain picture where it stands in for a kind."""
        shown = torch.zeros_like(pictures.present)
        both = torch.ones_like(shown[:, 0])
        for fusion, kind in ((self.grounded, GROUNDED), (self.detected, DETECTED)):
            slots = self._slots(kind)
            shown[:, slots] = pictures.present[:, slots]
            both &= (shown[:, slots] & (fusion.weight[: shown[:, slots].shape[1]] != 0)).any(1)
        shown[:, 0] = pictures.present[:, 0] & ~both
        return shown
