"""Trains a network's scorer of antecedents on whole articles, after the network itself.

While the network is trained, a mention's candidates are those of its window. In use they are all that stand before it
in the article, so the scorer alone is trained on these, on the states of the finished network.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from extraction.features.batch import to_device
from extraction.features.coreference import CoreferenceTargets, coreference_targets
from extraction.features.windows import Window
from extraction.networks.layers.coreference import antecedent_loss
from training.data.prepared import Prepared
from training.evaluation.predictions import batches

EPOCHS = 12
RATE, DECAY = 1e-3, 0.01


@dataclass(frozen=True)
class _ArticleStates:
    """The states of an article's annotated mentions (M, 2d), and their candidates."""

    states: Tensor
    targets: CoreferenceTargets


def fit_antecedents(
    network: Any, prepared: Prepared, seed: int = 1, say: Callable[[str], object] = lambda line: None
) -> None:
    """Trains `network.coreference` on the articles of news among these examples; nothing for a network without it."""
    if getattr(network, "coreference", None) is None:
        return
    articles = _articles(network, prepared)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    scorer = network.coreference.train()
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * len(articles)
    for epoch in range(EPOCHS):
        losses = []
        for number, index in enumerate(rng.permutation(len(articles)).tolist()):
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 - (epoch * len(articles) + number) / steps)
            article = articles[index]
            scores, none = scorer(article.states, article.targets)
            loss = antecedent_loss(scores, none, article.targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(scorer.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        say(f"antecedents, epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.3f}")
    scorer.eval()


@torch.no_grad()
def _articles(network: Any, prepared: Prepared) -> list[_ArticleStates]:
    """Every article of news that has two mentions or more."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(prepared.items):
        example = prepared.examples[item.example]
        if example.news:
            places[example.document].append(place)
    wanted = {place for own in places.values() for place in own}
    states: dict[int, Tensor] = {}
    for chosen, batch in batches(network, prepared):
        if wanted.isdisjoint(chosen):
            continue
        words = network(batch).words
        for row, place in enumerate(chosen):
            example = prepared.examples[prepared.items[place].example]
            ends = torch.tensor([(one.start, one.end - 1) for one in example.mentions], device=words.device)
            states[place] = words[row, ends].flatten(1) if len(ends) else words.new_zeros(0, 2 * words.shape[-1])
    articles = []
    for own in places.values():
        examples = [prepared.examples[prepared.items[place].example] for place in own]
        targets = coreference_targets(examples, prepared.inventory, [Window(tuple(range(len(own))))])
        if targets is not None and len(targets.anaphor):
            joined = torch.cat([states[place] for place in own])
            articles.append(_ArticleStates(joined.clone(), to_device(targets, joined.device)))
    return articles
