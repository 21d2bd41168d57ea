"""A reader with random weights, made in a moment: for tests and for trying things out. What it finds means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from extraction.features.cooccurrence import LEVELS, PmiTable
from extraction.features.featurizer import SHAPES, Featurizer
from extraction.labels import Inventory, inventory
from extraction.networks.eega import EEGA, EEGAConfig
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.reader.checkpoint import LoadedCheckpoint, Manifest
from extraction.text.parser import Parser

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-"

UNKNOWN = "[UNK]"


def tokenizer() -> Tokenizer:
    """Uncased word pieces of single letters, with BERT's special tokens."""
    pieces = ["[PAD]", UNKNOWN, "[CLS]", "[SEP]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    made = Tokenizer(models.WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token=UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def sizes(featurizer: Featurizer, names: Inventory, **options: Any) -> EEGAConfig:
    """The network's config for these vocabularies; `options` override its other fields."""
    counts = (featurizer.pos_size, featurizer.edge_size, LEVELS, len(names.tags), len(names.relations))
    return EEGAConfig(*counts, **options)


def tiny_checkpoint(
    parser: Parser, seed: int = 0, data: Sequence[str] = ("redocred", "conll04"), pmi: PmiTable | None = None
) -> LoadedCheckpoint:
    """A checkpoint with random weights for the mapped labels of these data sets."""
    torch.manual_seed(seed)
    names = inventory(tuple(data), "mapped")
    featurizer = Featurizer(tokenizer(), parser.pos_labels, parser.dep_labels, pmi or PmiTable.empty())
    architecture = tiny(featurizer.tokenizer.get_vocab_size())
    small = {"heads": 2, "inner": 16, "edge_width": 8, "channel_width": 8, "channel_out": 8}
    config = sizes(featurizer, names, **small, type_hidden=8, relation_hidden=16)
    network = EEGA(config, TextEncoder.blank(architecture, len(SHAPES))).eval()
    encoder = {"source": "tiny", "architecture": network.encoder.architecture}
    manifest = Manifest("tiny", config, names, encoder, featurizer.pos, featurizer.deps, parser.version)
    return LoadedCheckpoint(manifest, network, featurizer, digest=f"tiny-{seed}")
