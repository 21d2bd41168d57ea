"""Small data sets made here for any system: sentences whose words, picture or knowledge decide what holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from extraction.features.featurizer import SHAPES
from extraction.labels import annotated_relations, annotated_types
from extraction.networks.encoders.pyramid import TINY
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.networks.encoders.vit import tiny_vit
from extraction.networks.systems import SYSTEMS
from extraction.schema import Candidate, Example, Fact, Region, WordRelation, Words, WordSpan
from tests.tiny import LETTERS, tokenizer
from training.config import TrainConfig
from training.data.preparation import prepare_examples
from training.data.prepared import Prepared, Vocabularies
from training.engine.networks import assembled
from training.heads import head_of

SIZE = 32  # pixels of a picture's sides
LIVES, BORN = "/per/loc/place_of_residence", "/per/loc/place_of_birth"
KEYS = (LIVES, BORN)
CASES = [(system, head) for system, entry in SYSTEMS.items() for head in entry.heads]
SMALL: dict[str, dict[str, Any]] = {
    "mtb": {"dropout": 0.0},
    "mega": {"align": 16, "hidden": 16, "objects": 4, "dropout": 0.0},
    "eega": {
        **{"heads": 2, "inner": 16, "edge_width": 8, "channel_width": 8, "channel_out": 8, "type_hidden": 16},
        **{"relation_hidden": 16, "band": 4, "objects": 4, "dropout": 0.0},
    },
    "focalmre": {"size": SIZE, "hidden": 16, "dropout": 0.0, "attention_dropout": 0.0},
    "rsrnet": {"size": SIZE, "dropout": 0.0, "state": "starts"},
    "relformer": {"most": 4, "crossing": 1, "dropout": 0.0},
}
SEEING: dict[str, dict[str, Any]] = {
    "": {},
    "vit": {"architecture": tiny_vit(SIZE)},
    "pyramid": {"architecture": TINY},
}


class Chain:
    """Parses in which every word hangs on the one before it."""

    version = "chain"
    pos_labels: Sequence[str] = ("X", "Y")
    dep_labels: Sequence[str] = ("root", "next")

    def parse_words(self, sentences: Sequence[Sequence[str]]) -> list[Words]:
        made = []
        for words in sentences:
            count = len(words)
            tags = tuple("XY"[place % 2] for place in range(count))
            heads = tuple(max(0, place - 1) for place in range(count))
            deps = ("root", *["next"] * (count - 1))
            made.append(Words(tuple((0, 0) for _ in words), tuple(words), tags, heads, deps))
        return made


def example(number: int, words: str, key: str, **parts: Any) -> Example:
    """A person at the first word and a place at the last, related by `key`; the picture's first region likewise."""
    spoken = tuple(words.split())
    mentions = (WordSpan(0, 1, "per"), WordSpan(len(spoken) - 1, len(spoken), "loc"))
    regions = parts.get("regions", ())
    candidates = [Candidate(0, 1, key), *(Candidate(0, place, key, True) for place in range(len(regions[:1])))]
    values: dict[str, Any] = {
        "id": f"generated-{number}",
        "dataset": "mnre",
        "words": spoken,
        "mentions": mentions,
        "relations": (WordRelation(0, 1, key),) if key else (),
        "types": annotated_types("mnre", "native"),
        "relation_keys": annotated_relations("mnre", "native"),
        "candidates": tuple(candidates),
    }
    return Example(**{**values, **parts})


def spoken(number: int, letters_used: int = 3) -> str:
    """A sentence; of few letters its names carry no information, since the same ones occur with everything."""
    rng = np.random.default_rng((3, number))
    letters = [LETTERS[place] for place in rng.integers(0, letters_used, 4)]
    return " ".join([letters[0] + letters[1], "met", "of"[: int(rng.integers(1, 3))], letters[2] + letters[3]])


def eight() -> list[Example]:
    """Eight examples with pictures, boxes of several classes, knowledge, and of several lengths."""
    made = []
    for number in range(8):
        regions = tuple(
            Region(
                (0.1 * place, 0.2, 0.3, 0.4), ("dog", "tree", "car", "cup")[place], 0.9, 0, 0.2 * place, 0 < place < 3
            )
            for place in range((1, 2, 4)[number % 3])
        )
        words = f"{spoken(number, 26)} {'and so on' if number % 3 else 'it'}"
        head = words.split()[0]
        facts = (Fact(head, "born", "x y", "test"), Fact("z", "in", "x y", "test"))[: 1 + number % 2]
        key = ("", LIVES, BORN)[number % 3]
        made.append(example(number, words, key, regions=regions, image=f"{number}.jpg", facts=facts))
    return made


def drawn(name: str) -> np.ndarray | None:
    """A picture of a white block on grey: at the left where the name has "left", else at the right."""
    if not name.endswith(".jpg"):
        return None
    picture = np.full((SIZE, SIZE, 3), 90, np.uint8)
    start = 2 if "left" in name else SIZE // 2 + 2
    picture[8:24, start : start + 12] = 250
    return picture


def decided_by_the_picture(count: int, first: int = 0, boxed: bool = True) -> list[Example]:
    """Sentences of which half is true of one relation and half of the other, by where the picture's block is.

    `boxed`: the block's box is the picture's one region. Without, the region is the same in all, and pixels decide.
    """
    made = []
    for number in range(first, first + count):
        left = bool(np.random.default_rng((5, number)).integers(2)) if number % 2 else bool(number % 4)
        box = (0.06 if left else 0.56, 0.25, 0.375, 0.5) if boxed else (0.0, 0.0, 1.0, 1.0)
        name = f"{'left' if left else 'right'}-{number}.jpg"
        made.append(example(number, spoken(number), KEYS[left], regions=(Region(box),), image=name))
    return made


def decided_by_knowledge(count: int, first: int = 0) -> list[Example]:
    """The same by what is known of the person."""
    made = []
    for number in range(first, first + count):
        words = spoken(number)
        which = number % 2
        fact = Fact(words.split()[0], "fact", ("m", "q")[which], "test")
        made.append(example(number, words, KEYS[which], regions=(Region((0.0, 0.0, 1.0, 1.0)),), facts=(fact,)))
    return made


def mentions_by_picture(examples: Sequence[Example]) -> list[Example]:
    """The same pictures deciding a mention's type: for taggers."""
    return [
        dataclasses.replace(
            one, mentions=(WordSpan(0, 1, ("per", "org")[one.relations[0].key == BORN]),), relations=(), candidates=()
        )
        for one in examples
    ]


def blind(examples: Sequence[Example]) -> list[Example]:
    """The same examples without their picture and knowledge; a region that must be there is the whole picture's."""
    return [
        dataclasses.replace(
            one,
            image="",
            facts=(),
            regions=tuple(Region((0.0, 0.0, 1.0, 1.0)) for _ in one.regions[:1]) if _needs_region(one) else (),
        )
        for one in examples
    ]


def _needs_region(one: Example) -> bool:
    return any(candidate.region for candidate in one.candidates)


def config(system: str, head: str, **changes: Any) -> TrainConfig:
    """A run of a tiny network of this system."""
    values: dict[str, Any] = {
        "system": system,
        "head": head,
        "data": ("mnre",),
        "labels": "native",
        "title": False,
        "network": SMALL[system],
        "vision": SEEING[SYSTEMS[system].vision],
        "epochs": 1,
        "batch": 8,
        "head_rate": 5e-3,
        "encoder_rate": 5e-3,
        "decay": 0.0,
        "average": 0.0,
        "noise": 0,
        "dropped_pairs": 0.0,
        "frozen_pieces": False,
        "precision": "fp32",
        "threads": 1,
    }
    return TrainConfig(**{**values, **changes})


def prepared(config: TrainConfig, examples: Sequence[Example]) -> Prepared:
    """The examples as this run's network is given them, with pictures as `drawn`."""
    made = prepare_examples(config, head_of(config.system, config.head), examples, Chain(), lambda name: tokenizer())
    inputs = dataclasses.replace(made.vocabularies.inputs, shown="photographs")
    return dataclasses.replace(made, look=drawn, vocabularies=dataclasses.replace(made.vocabularies, inputs=inputs))


def network(config: TrainConfig, known: Vocabularies, seed: int = 0, width: int = 16, layers: int = 2) -> Any:
    """A tiny random network for it."""
    torch.manual_seed(seed)
    architecture = {
        **tiny(known.featurizer.tokenizer.get_vocab_size(), width, layers),
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return assembled(config, known, TextEncoder.blank(architecture, len(SHAPES)))
