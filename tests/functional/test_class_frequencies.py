import math

import pytest
import torch
from scipy.stats import entropy

from lightning_vi.functional.class_frequencies import covered, frequencies, kl_from_uniform


def test_frequencies_are_counted_in_all_classes() -> None:
    found = frequencies(torch.tensor([0, 2, 2, 0, 0]), 4)
    torch.testing.assert_close(found, torch.tensor([0.6, 0, 0.4, 0], dtype=torch.float64))


def test_the_divergence_is_scipys() -> None:
    given = torch.rand(10, dtype=torch.float64)
    given /= given.sum()
    assert kl_from_uniform(given) == pytest.approx(entropy(given.numpy(), [0.1] * 10), rel=1e-12)


@pytest.mark.parametrize("made", [1, 2, 5, 10])
def test_a_generator_of_some_classes_has_their_number_and_the_logarithm_of_what_it_leaves_out(made: int) -> None:
    found = frequencies(torch.arange(1000) % made, 10)
    assert covered(found) == made
    assert kl_from_uniform(found) == pytest.approx(math.log(10 / made), abs=1e-12)


def test_uniform_labels_diverge_as_much_as_their_number_says() -> None:
    values = torch.tensor([kl_from_uniform(frequencies(torch.randint(10, (500,)), 10)) for _ in range(2000)])
    assert abs(float(values.mean()) - 9 / 1000) < 5 * float(values.std()) / math.sqrt(2000) + 2e-4


@pytest.mark.parametrize(("count", "classes"), [(9, 9), (10, 10)])
def test_a_class_counts_from_one_per_cent_on(count: int, classes: int) -> None:
    labels = torch.cat([torch.arange(1000 - count) % 9, torch.full((count,), 9)])
    assert covered(frequencies(labels, 10)) == classes
