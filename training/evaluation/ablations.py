"""The papers' switches as settings of our networks, with what the papers measured. No torch.

`published` is the paper's figure in its own setting (encoder, pictures, regions), None where it gives none for that
switch: RelFormer has no ablations, and a gate with another activation is not HVPNeT, which stands beside RSRNeT's.
`needs` says what an ablation cannot be measured without. FocalMRE's and RSRNeT's figures above 80 rest on grounding
crops that leak the label (docs/datasets.md): their differences, too, are of that setting. The first row of each is our
recipe, from which the others differ. Not here: RSRNeT's pictures for mentions (Twitter's are in no data set at hand),
depth, knowledge and its filter (no data set at hand has maps or facts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from training.recipes import SMALL_VIT


@dataclass(frozen=True)
class Ablation:
    """A row: settings of the network and of the run that differ from the system's recipe, and the paper's F1.

    `needs`: an input that the recipe's run does not have, without which the row would be another one's.
    """

    name: str
    network: dict[str, Any] = field(default_factory=dict)
    published: float | None = None
    config: dict[str, Any] = field(default_factory=dict)
    needs: str = ""


PREPARED = "prepared pictures: manage.py prepare_images mnre, then manage.py train … --prepared latest"
FULL = "our recipe"
ABLATIONS: dict[str, tuple[str, tuple[Ablation, ...]]] = {
    "mega": (
        "mega",
        (
            Ablation(FULL, {}, 66.41),
            Ablation("no structural alignment (BERT+SG+Att)", {"structural": False}, 63.64),
            Ablation("no attention either (BERT+SG)", {"attention": False}, 62.80),
            Ablation("no picture (MTB)", {"image": False}, 60.96),
            Ablation("top 2 objects of a word", {"top": 2}),
            # MNRE's published boxes are at most three: with them these two are one network.
            Ablation("top 5 objects of a word", {"top": 5}, 64.33, needs=PREPARED),
            Ablation("top 10 objects of a word", {"top": 10}, 63.75, needs=PREPARED),
            Ablation("text and picture not brought to one scale (the paper's MLP)", {"normalised": False}),
            Ablation("the paper's dropout", {"dropout": 0.5}),
        ),
    ),
    "eega": (
        "jmere-boxes",
        (
            Ablation(FULL, {}, 55.29),
            Ablation("no graph alignment (lambda 0)", {"graph_weight": 0.0}, 51.07),
            Ablation("vanilla transformer (the tree is left in Sd, as in the paper)", {"vanilla": True}, 53.28),
            Ablation("no channels", {"channels": False, "cell_channels": False}, 53.75),
            *(
                Ablation(f"alpha {share}", {"node_share": share}, figure)
                for share, figure in ((0.0, 53.03), (0.2, 54.47), (0.6, 54.92), (0.8, 53.47), (1.0, 52.79))
            ),
            *(
                Ablation(f"lambda {weight}", {"graph_weight": weight}, figure)
                for weight, figure in ((0.2, 53.51), (0.4, 53.28), (0.8, 53.61), (1.0, 53.47))
            ),
            Ablation("no picture", {"objects": 0}),
        ),
    ),
    "focalmre": (
        "focalmre",
        (
            Ablation(FULL, {}, 88.01),
            Ablation("no attention", {"attention": False}, 85.35),
            Ablation("no gate", {"gate": False}, 85.87),
            Ablation("neither", {"attention": False, "gate": False}, 83.77),
            Ablation("whole picture alone", {"input": "original"}, 62.76),
            Ablation("crops", {"input": "crops"}, 86.84),
            Ablation("one detected frame at most", {"detected": 1}),
            Ablation("two detected frames at most", {"detected": 2}),
        ),
    ),
    "rsrnet": (
        "rsrnet",
        (
            Ablation(FULL, {}, 83.89),
            Ablation("last stage alone (plain)", {"stages": "last"}, 82.02),
            Ablation("a stage for each three layers (1T3)", {"stages": "one_to_three"}, 82.17),
            Ablation("leaky ReLU in the gate, as HVPNeT has", {"gate": "leaky_relu"}),
            Ablation("[CLS] instead of start states (the paper's)", {"state": "cls"}),
            Ablation("one object (m)", {"objects": 1}),
            Ablation("BERT-base instead of RoBERTa (woRoB)", {}, 82.85, {"encoder": "bert-base-uncased"}),
            Ablation("ResNet-50 instead of ResNeSt-50 (woRSt)", {}, 82.21, {"vision": {"source": "resnet50"}}),
            Ablation("no picture", {"image": False}, 60.86),
        ),
    ),
    "relformer": (
        "relformer",
        (
            Ablation(FULL),
            Ablation("with patches of the picture", config={"vision": SMALL_VIT}),
            Ablation("no objects' classes and boxes", {"objects": False}),
            Ablation("no crossing layers", {"crossing": 0}),
        ),
    ),
}
