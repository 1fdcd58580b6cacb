import pytest
import torch
from scipy import stats

from lightning_vi.functional.philox import philox4x32, standard_normal

ONES = 0xFFFFFFFF
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)


@pytest.mark.parametrize(
    ("rounds", "words", "expected"),
    [
        (7, (0,) * 6, (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)),
        (7, (ONES,) * 6, (0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662)),
        (7, PI, (0x4DFCCABA, 0x190A87F0, 0xC47362BA, 0xB6B5242A)),
        (10, (0,) * 6, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (10, (ONES,) * 6, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (10, PI, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_known_answers_of_random123(rounds: int, words: tuple[int, ...], expected: tuple[int, ...]) -> None:
    c0, c1, c2, c3, k0, k1 = (torch.tensor([word]) for word in words)
    assert tuple(int(word) for word in philox4x32((c0, c1, c2, c3), (k0, k1), rounds)) == expected


def state(seed: int = 42, stream: int = 0, position: int = 0) -> torch.Tensor:
    return torch.tensor([seed, stream, position])


def test_numbers_are_standard_normal() -> None:
    sample = standard_normal(400_000, state())
    assert stats.kstest(sample.numpy(), "norm").pvalue > 1e-3
    moments = torch.stack([sample.pow(k).mean() for k in (1, 2, 3, 4)])
    errors = torch.tensor([1.0, 2.0, 15.0, 96.0]).div(sample.numel()).sqrt()
    assert ((moments - torch.tensor([0.0, 1.0, 0.0, 3.0])).abs() < 5 * errors).all()
    assert sample.abs().max() < 6.8


@pytest.mark.parametrize(
    "other", [state(seed=43), state(stream=1), state(position=1), state(position=2**40), state(stream=0x80000000)]
)
def test_streams_are_uncorrelated(other: torch.Tensor) -> None:
    size = 100_000
    first, second = standard_normal(size, state()), standard_normal(size, other)
    for a, b in ((first, second), (first.square() - 1, second.square() - 1), (first[1:], second[:-1])):
        assert (a * b).mean().abs() < 5 * a.std() * b.std() / size**0.5


def test_neighbours_within_a_draw_are_uncorrelated() -> None:
    size = 100_000
    sample = standard_normal(size, state())
    for lag in (1, 2, size // 4, size // 2):
        assert (sample[lag:] * sample[:-lag]).mean().abs() < 5 / (size - lag) ** 0.5


def test_the_same_counter_gives_the_same_numbers() -> None:
    assert torch.equal(standard_normal(100_003, state()), standard_normal(100_003, state()))


def test_single_and_double_precision_agree() -> None:
    single, double = (standard_normal(10_001, state(), dtype) for dtype in (torch.float32, torch.float64))
    torch.testing.assert_close(single.double(), double, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 65_535, 65_537])
def test_any_size(size: int) -> None:
    assert standard_normal(size, state()).shape == (size,)
