"""The CRF against sums over every sequence written out."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch

from extraction.networks.layers.crf import LinearChainCRF, bio_order

TAGS, LENGTHS = 5, (4, 2, 1)


@pytest.fixture(params=[True, False], ids=["bio", "free"])
def crf(request) -> LinearChainCRF:
    torch.manual_seed(0)
    made = LinearChainCRF(TAGS, bio=request.param)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


@pytest.fixture
def emissions() -> torch.Tensor:
    return torch.randn(len(LENGTHS), max(LENGTHS), TAGS, generator=torch.Generator().manual_seed(1))


REAL = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)


def legal(tags: tuple[int, ...]) -> bool:
    """BIO as people say it: I goes on with the type of the tag before."""
    names = ["O", "B-0", "I-0", "B-1", "I-1"]
    words = ["O", *(names[tag] for tag in tags)]
    return all(word[0] != "I" or before[1:] == word[1:] for before, word in pairwise(words))


def all_scores(crf: LinearChainCRF, emissions: torch.Tensor, row: int) -> dict[tuple[int, ...], float]:
    scores = {}
    for tags in product(range(TAGS), repeat=LENGTHS[row]):
        if crf.forbidden.any() and not legal(tags):
            continue
        score = crf.start[tags[0]] + crf.end[tags[-1]]
        score = score + sum(emissions[row, i, tag] for i, tag in enumerate(tags))
        score = score + sum(crf.transitions[a, b] for a, b in pairwise(tags))
        scores[tags] = float(score.detach())
    return scores


def test_partition_is_the_sum_over_all_sequences(crf, emissions):
    for row, found in enumerate(crf.log_partition(emissions, REAL)):
        expected = torch.tensor(list(all_scores(crf, emissions, row).values())).logsumexp(0)
        assert torch.isclose(found.float(), expected, atol=1e-4)


def test_the_best_sequence_is_the_best_of_all(crf, emissions):
    best = crf.decode(emissions, REAL)
    for row, length in enumerate(LENGTHS):
        scores = all_scores(crf, emissions, row)
        assert tuple(best.tags[row, :length].tolist()) == max(scores, key=scores.__getitem__)
        assert not best.tags[row, length:].any() and not best.certainty[row, length:].any()


def test_certainty_is_the_share_of_all_sequences_with_that_tag(crf, emissions):
    marginals = crf.marginals(emissions, REAL)
    for row, length in enumerate(LENGTHS):
        scores = all_scores(crf, emissions, row)
        shares = torch.softmax(torch.tensor(list(scores.values())), 0)
        for i in range(length):
            for tag in range(TAGS):
                share = shares[[tags[i] == tag for tags in scores]].sum()
                assert torch.isclose(marginals[row, i, tag].float(), share, atol=1e-4)
    best = crf.decode(emissions, REAL)
    assert torch.equal(best.certainty[REAL], marginals[REAL].gather(1, best.tags[REAL].unsqueeze(1)).squeeze(1))


def test_loss_is_the_negative_logarithm_of_the_probability(crf, emissions):
    tags = torch.tensor([[1, 2, 0, 3], [3, 4, 0, 0], [0, 0, 0, 0]])
    expected = []
    for row, length in enumerate(LENGTHS):
        scores = all_scores(crf, emissions, row)
        expected.append(torch.tensor(list(scores.values())).logsumexp(0) - scores[tuple(tags[row, :length].tolist())])
    assert torch.isclose(crf.loss(emissions, tags, REAL).float(), torch.stack(expected).mean(), atol=1e-4)


def test_what_lies_beyond_a_sentence_does_not_matter(crf, emissions):
    other = emissions + 100 * torch.randn(emissions.shape) * ~REAL.unsqueeze(2)
    assert torch.equal(crf.log_partition(emissions, REAL), crf.log_partition(other, REAL))
    assert torch.equal(crf.decode(emissions, REAL).tags, crf.decode(other, REAL).tags)
    assert torch.allclose(crf.log_partition(emissions[1:2, :2], REAL[1:2, :2]), crf.log_partition(emissions, REAL)[1])


def test_bio_lets_an_inside_follow_its_own_type_alone():
    follows, starts = bio_order(TAGS)
    assert follows[:, 2].tolist() == [False, True, True, False, False]
    assert follows[:, 4].tolist() == [False, False, False, True, True]
    assert follows[:, [0, 1, 3]].all() and starts.tolist() == [True, True, False, True, False]


def test_every_weight_learns(crf, emissions):
    crf.loss(emissions, torch.tensor([[1, 2, 0, 3], [3, 4, 0, 0], [0, 0, 0, 0]]), REAL).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in crf.parameters())
    assert all(weight.grad.any() for weight in crf.parameters())
