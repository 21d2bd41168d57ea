"""The configuration of a training run. Every run writes its config beside its checkpoint."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class TrainConfig:
    """A run: which system, which data, how it learns.

    `weights`: how many times an epoch sees a data set's examples (0.5: another half each epoch). `network`
    overrides fields of the network's config. `start`: a checkpoint's folder, from whose weights and vocabularies the
    run continues. `left_out` names relations, by data set, that the run does not take from it: its labels for
    them are treated as unknown. `batch` counts examples; 0 = as many as `batch_pieces` allows. `window`: how many word
    pieces of neighbouring sentences the encoder reads together; 0 = each sentence alone, after its title.
    """

    system: str = "eega"
    head: str = ""  # "" = the system's first
    data: tuple[str, ...] = ("redocred", "conll04", "jmere", "mnre_none", "twitter2015", "twitter2017")
    weights: dict[str, float] = field(default_factory=dict)  # how often an epoch sees each data set; none = once
    labels: Literal["mapped", "native"] = "mapped"
    start: str = ""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    encoder: str = "all-MiniLM-L6-v2"
    network: dict[str, Any] = field(default_factory=dict)
    title: bool = True  # a post's headline is shown before each sentence
    window: int = 0
    title_dropped: float = 0.3  # share of examples shown without their title, so that the reader also works without
    noise: int = 2  # words outside mentions that stand as mentions without relations, for each sentence
    epochs: int = 10  # at most, where runs are scored on dev as they go
    batch_pieces: int = 1280  # padded word pieces a batch
    encoder_rate: float = 2e-4  # learning rate of the text encoder
    head_rate: float = 1e-3  # learning rate of all other weights
    dropout: Literal["shared", "stock"] = "shared"  # of the text encoder: one mask a sentence, or its own as published
    shapes: bool = True  # the text encoder is shown each word's shape
    frozen_pieces: bool = True  # the embeddings of word pieces, half of a small encoder's weights, stay as they are
    decay: float = 0.01  # of weights, but for biases and norms
    warmup: float = 0.06  # share of the steps in which the rate rises
    halve_every: int = 0  # epochs after which the rate is halved; 0 = it falls to 0 in a line
    clip: float = 1.0  # the largest length of a step's gradient; 0 = any
    average: float = 0.999  # of the moving average of weights that is evaluated and kept; 0 = none
    dropped_pairs: float = 0.2  # share of co-occurrence levels hidden in training
    longest: int = 100  # words; longer training sentences are left out and counted
    seed: int = 1
    precision: Precision = "auto"  # auto: bf16 or fp16 where the device is fast in it, else fp32
    device: Device = "cpu"
    vision: dict[str, Any] = field(default_factory=dict)  # {"source": name} or {"architecture": {...}}: random weights
    vision_rate: float = 0.0  # 0 = as the text encoder
    batch: int = 0  # examples a batch; 0 = as many as its pieces allow
    evaluate_every: int = 0  # epochs between evaluations on dev; 0 = none, and the last weights are kept
    first_evaluation: int = 1  # the epoch after which runs are first scored on dev
    patience: int = 0  # evaluations without a better one after which a run ends; 0 = never
    fraction: float = 1.0  # share of the training items, drawn by seed
    per_relation: int = 0  # training pairs of each relation, or sentences that hold it; 0 = all
    limit: int = 0  # examples of each split, for trying things out; 0 = all
    mentions: str = ""  # folder of the checkpoint that finds a pair system's mentions in use; "" = the shipped one
    images: str = ""  # folders of the pictures, joined by ":"; "" = boxes on a grey canvas stand for them
    prepared: str = ""  # which results of prepare_images stand for published boxes: "latest", a digest; "" = none
    threads: int = 0  # 0 = torch's choice
    save_minutes: float = 3.0  # between saves of the state that a stopped run continues from
    max_minutes: float = 0.0  # 0 = no limit; a run that meets it can be resumed

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        return cls(**{**values, "data": tuple(values["data"])})
