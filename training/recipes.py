"""Recipes: the runs whose figures are in docs/benchmarks.md, and each paper's own settings. No torch.

RECIPES are ours, for the small encoder that comes with kgbuilder: it learns best at rates ten times those of BERT-base.
PAPER holds what each paper states of its training, with its encoders, where a hub can be reached. DEPARTURES names what
nevertheless is not as in the paper.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from training.config import TrainConfig

VIT = "google/vit-base-patch32-224-in21k"
# A canvas shows boxes alone, and half the time must not go into it.
SMALL_VIT = {
    "architecture": {
        "model_type": "vit",
        "image_size": 224,
        "patch_size": 32,
        "hidden_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "intermediate_size": 384,
    }
}
SMALL_PYRAMID = {"architecture": {"name": "tiny", "widths": [16, 32, 64, 128]}}


@dataclass(frozen=True)
class SystemAbout:
    """What people choose a system by."""

    title: str
    task: str
    paper: str
    data: tuple[str, ...]


ABOUT: dict[str, SystemAbout] = {
    "mtb": SystemAbout(
        "MTB",
        "relation of a given pair",
        "Livio Baldini Soares, Nicholas FitzGerald, Jeffrey Ling, Tom Kwiatkowski: Matching the Blanks: Distributional "
        "Similarity for Relation Learning. ACL 2019, 2895–2905. doi:10.18653/v1/P19-1279",
        ("mnre",),
    ),
    "mega": SystemAbout(
        "MEGA",
        "relation of a given pair",
        "Changmeng Zheng, Junhao Feng, Ze Fu, Yi Cai, Qing Li, Tao Wang: Multimodal Relation Extraction with Efficient "
        "Graph Alignment. ACM Multimedia 2021, 5298–5306. doi:10.1145/3474085.3476968",
        ("mnre",),
    ),
    "eega": SystemAbout(
        "EEGA",
        "mentions and relations together",
        "Li Yuan, Yi Cai, Jin Wang, Qing Li: Joint Multimodal Entity-Relation Extraction Based on Edge-enhanced Graph "
        "Alignment Network and Word-pair Relation Tagging. AAAI 2023",
        ("jmere", "conll04", "redocred"),
    ),
    "focalmre": SystemAbout(
        "FocalMRE",
        "relation of a given pair",
        "Focus & Gating: A Multimodal Approach for Unveiling Relations in Noisy Social Media. Draft for ACM Multimedia "
        "2024, its authors not named",
        ("mnre",),
    ),
    "rsrnet": SystemAbout(
        "RSRNeT",
        "mentions, or relation of a given pair",
        "Min Wang, Hongbin Chen, Dingcai Shen, Baolei Li, Shiyu Hu: RSRNeT: a novel multi-modal network framework for "
        "named entity recognition and relation extraction. PeerJ Computer Science 10:e1856, 2024. "
        "doi:10.7717/peerj-cs.1856",
        ("twitter2015", "twitter2017", "mnre"),
    ),
    "relformer": SystemAbout(
        "RelFormer",
        "relation of a mention and an object",
        "PeiLing Li, Lin Li: A Knowledge Augmented Framework for Multimodal News Object-Entity Relation Extraction. "
        "2025",
        ("more", "gmner"),
    ),
}

_PAIRS = TrainConfig(
    data=("mnre",),
    labels="native",
    title=False,
    frozen_pieces=False,
    epochs=3,  # on dev nothing is won by the third any more
    batch=32,
    encoder_rate=2e-4,
    head_rate=5e-4,
    average=0.99,
    evaluate_every=1,
    patience=3,
    warmup=0.1,
)
_TAGS = TrainConfig(
    data=("twitter2017",),
    labels="native",
    title=False,
    frozen_pieces=False,
    epochs=15,
    batch=32,
    encoder_rate=2e-4,
    head_rate=2e-3,
    average=0.99,
    evaluate_every=1,
    patience=4,
    warmup=0.1,
)


def _with(config: TrainConfig, **changes: object) -> TrainConfig:
    return dataclasses.replace(config, **changes)  # type: ignore[arg-type]


GO_ON = {"news": "general"}  # recipes that begin with another one's checkpoint

# The runs whose figures are in docs/benchmarks.md.
RECIPES: dict[str, TrainConfig] = {
    "general": TrainConfig(
        weights={"conll04": 2.0, "jmere": 0.5, "mnre_none": 0.35, "twitter2015": 0.25, "twitter2017": 0.25},
    ),
    # From a checkpoint of "general" (--start): what news states, plans, claims and denies, and who is meant. CoNLL04's
    # Live_In is left out: there whoever governs a place, or comes from it, lives in it.
    "news": TrainConfig(
        data=("redocred", "conll04", "voa", "newsroom"),
        weights={"redocred": 0.25, "conll04": 0.15},
        left_out={"conll04": ["residence"]},
        network={"qualifiers": True, "coreference": True},
        window=160,
        epochs=12,
        batch_pieces=800,
        encoder_rate=1.5e-4,
        head_rate=8e-4,
        average=0.995,
        seed=7,
    ),
    "conll04": TrainConfig(
        data=("conll04",),
        labels="native",
        network={"dropout": 0.3, "type_hidden": 96, "band": 16, "relation_hidden": 256},
        noise=3,
        epochs=20,
        batch_pieces=600,
        encoder_rate=1.5e-4,
        head_rate=7e-4,
    ),
    "jmere": TrainConfig(
        data=("jmere",), labels="native", epochs=12, batch_pieces=600, encoder_rate=1.5e-4, head_rate=7e-4
    ),
    "jmere-boxes": TrainConfig(
        data=("jmere",),
        labels="native",
        network={"objects": 10},
        epochs=12,
        batch_pieces=600,
        encoder_rate=1.5e-4,
        head_rate=7e-4,
    ),
    "redocred": TrainConfig(data=("redocred",), labels="native", epochs=20),
    "mtb": _with(_PAIRS, system="mtb"),
    # v and y on one scale, and less dropout than the paper's 0.5, with which its dev score is lower after three epochs.
    "mega": _with(_PAIRS, system="mega", network={"normalised": True, "dropout": 0.2}),
    "focalmre": _with(  # a vision encoder that knows nothing yet would drown the words
        _PAIRS, system="focalmre", network={"gate_start": 0.1}, vision=SMALL_VIT, vision_rate=5e-4
    ),
    "rsrnet": _with(  # MTB reads the start markers too, and what is compared is the pictures
        # Without photographs an object cut out of its canvas is little more than its own outline.
        _PAIRS,
        system="rsrnet",
        head="pair",
        network={"state": "starts"},
        vision=SMALL_PYRAMID,
        vision_rate=1e-3,
    ),
    "rsrnet-twitter2017": _with(_TAGS, system="rsrnet", head="tags"),
    "rsrnet-twitter2015": _with(_TAGS, system="rsrnet", head="tags", data=("twitter2015",)),
    "relformer": _with(_PAIRS, system="relformer", data=("gmner",), network={"knowledge": False}),  # it has no facts
    "relformer-mentions": _with(_PAIRS, system="relformer", head="pair", network={"knowledge": False}),
}


# The papers' training settings. Where a paper is silent, our reading of it: see SHEETS in the network's docstring.
# None of them clips gradients, hides channels or shows a word's shape; each trains for a stated number of epochs.
_PUBLISHED = {"dropout": "stock", "shapes": False, "clip": 0.0, "patience": 0, "dropped_pairs": 0.0}
_PUBLISHED_PAIRS, _PUBLISHED_TAGS = _with(_PAIRS, **_PUBLISHED), _with(_TAGS, **_PUBLISHED)
PAPER: dict[str, TrainConfig] = {
    "mtb": _with(
        _PUBLISHED_PAIRS,
        system="mtb",
        encoder="bert-base-uncased",
        encoder_rate=2e-5,
        head_rate=2e-5,
        batch=10,
        epochs=10,
        average=0.0,
    ),
    "mega": _with(
        _PUBLISHED_PAIRS,
        system="mega",
        prepared="latest",
        encoder="bert-base-uncased",
        encoder_rate=2e-5,
        head_rate=2e-5,
        batch=10,
        epochs=10,
        warmup=0.0245,  # 300 steps of MNRE's 12,250 (open in the paper)
        average=0.0,
    ),
    "eega": TrainConfig(
        data=("jmere",),
        labels="native",
        network={
            **{"objects": 10, "scorer": "linear", "residual": False, "band": 70, "inner": 3072, "channel_out": 768},
            **{"dropout": 0.1, "lifted": False},
        },
        prepared="latest",
        dropout="stock",
        shapes=False,
        clip=0.0,
        noise=0,
        dropped_pairs=0.0,
        encoder="bert-base-uncased",
        encoder_rate=2e-5,
        head_rate=2e-5,
        batch=8,
        epochs=70,
        decay=0.0,  # Adam
        warmup=0.0,
        halve_every=30,
        average=0.0,
        evaluate_every=1,
        patience=5,
        frozen_pieces=False,
    ),
    "focalmre": _with(
        _PUBLISHED_PAIRS,
        system="focalmre",
        prepared="latest",
        encoder="bert-base-uncased",
        encoder_rate=1e-5,
        head_rate=1e-5,
        batch=8,
        epochs=20,
        decay=0.08,
        warmup=0.08,
        average=0.0,
        vision={"source": VIT},
    ),
    "rsrnet": _with(
        _PUBLISHED_PAIRS,
        system="rsrnet",
        head="pair",
        prepared="latest",
        encoder="roberta-base",
        encoder_rate=1e-5,
        head_rate=1e-5,
        batch=16,
        epochs=15,
        first_evaluation=8,
        average=0.0,
        vision={"source": "resnest50d"},
    ),
    "rsrnet-tags": _with(
        _PUBLISHED_TAGS,
        system="rsrnet",
        head="tags",
        encoder="xlm-roberta-base",
        encoder_rate=3e-5,
        head_rate=3e-5,
        batch=16,
        epochs=30,
        first_evaluation=16,
        average=0.0,
        vision={"source": "resnest50d"},
    ),
    "relformer": _with(
        _PUBLISHED_PAIRS,
        system="relformer",
        data=("more",),
        network={"filter": True},
        prepared="latest",
        encoder="bert-base-uncased",
        encoder_rate=2e-5,
        head_rate=2e-5,
        batch=32,
        epochs=60,
        warmup=0.01,
        average=0.0,
        vision={"source": VIT},
    ),
}

_ALL = "own dropouts of the network draw one mask a sentence"
_PICTURES = "pictures have to be named (--images) and prepared (manage.py prepare_images)"
DEPARTURES: dict[str, tuple[str, ...]] = {
    "mtb": (_ALL,),
    "mega": (
        _ALL,
        _PICTURES,
        "an object's features are those of our detector and encoder of regions, not 4096 numbers of Faster R-CNN",
        "the scene graph is made by rules, sparse, and untyped in the alignment",
    ),
    "eega": (
        _ALL,
        _PICTURES,
        "types and relations are two outputs over candidate cells, not one softmax of 26 tags over all n x n (Eq. 11)",
        "losses are means over words and cells, so lambda weighs the alignment against less than in Eq. 13",
        "an object's features are those of our detector and encoder of regions, not Mask R-CNN's",
    ),
    "focalmre": (_ALL, _PICTURES, "words are grounded by class, or by the detector of GROUNDING_MODEL"),
    "rsrnet": (_ALL, _PICTURES, "entity markers are added, which the paper does not name"),
    "rsrnet-tags": (_ALL, "pictures of Twitter have to be named (--images)"),
    "relformer": (
        _ALL,
        _PICTURES,
        "patches are a ViT's, not CLIP's",
        "facts have to lie in a file beside the data set (facts.jsonl)",
        "the depth of a region is one number",
        "an object also reaches the classifier past all layers (skip)",
    ),
}
