"""The ranking of antecedents: its loss is the one that counts every way of being right."""

from __future__ import annotations

import math

import torch

from extraction.features.coreference import OWN_SIZES, SIZES, CoreferenceTargets
from extraction.networks.layers.coreference import AntecedentScorer, antecedent_loss, mention_states

# Mentions 0..3; 2 refers to 0; 3 to 0 and 2; 1 to none.
PAIRS = [(1, 0, False), (2, 0, True), (2, 1, False), (3, 0, True), (3, 1, False), (3, 2, True)]


def targets() -> CoreferenceTargets:
    later, earlier, same = (torch.tensor(part) for part in zip(*PAIRS, strict=True))
    rows = torch.tensor([0, 0, 1, 1])
    return CoreferenceTargets(
        row=rows,
        first=torch.tensor([0, 1, 0, 1]),
        last=torch.tensor([0, 2, 0, 1]),
        own=torch.zeros(4, len(OWN_SIZES), dtype=torch.long),
        anaphor=later,
        candidate=earlier,
        features=torch.zeros(len(PAIRS), len(SIZES), dtype=torch.long),
        same=same,
    )


def test_the_loss_sums_all_right_antecedents():
    scores, none = torch.randn(len(PAIRS)), torch.randn(4)
    expected = 0.0
    for mention in range(4):
        choices = [(none[mention], not any(later == mention and same for later, _, same in PAIRS))]
        choices += [(score, same) for score, (later, _, same) in zip(scores, PAIRS, strict=True) if later == mention]
        total = sum(math.exp(score) for score, _ in choices)
        expected -= math.log(sum(math.exp(score) for score, right in choices if right) / total)
    assert math.isclose(antecedent_loss(scores, none, targets()).item(), expected / 4, rel_tol=1e-5)


def test_a_large_score_neither_overflows_nor_loses_its_gradient():
    scores = torch.tensor([0.0, -90.0, 95.0, 0.0, 0.0, 0.0], requires_grad=True)
    loss = antecedent_loss(scores, torch.zeros(4), targets())
    loss.backward()
    assert torch.isfinite(loss) and scores.grad is not None and torch.isfinite(scores.grad).all()
    assert scores.grad[1] < 0 < scores.grad[2]


def test_states_and_features_both_decide():
    torch.manual_seed(0)
    scorer, words = AntecedentScorer(4, 8, dropout=0.0).eval(), torch.randn(2, 3, 4)
    plain = targets()
    scores, none = scorer(mention_states(words, plain), plain)
    assert scores.shape == (6,) and none.shape == (4,)
    moved = words.clone()
    moved[0, 2] += 1  # the last word of mention 1 alone
    changed, _ = scorer(mention_states(moved, plain), plain)
    assert [bool(same) for same in torch.isclose(scores, changed, atol=1e-6)] == [False, True, False, True, False, True]
    plain.features[0, 2] = 1
    assert not torch.isclose(scorer(mention_states(words, plain), plain)[0][0], scores[0])
