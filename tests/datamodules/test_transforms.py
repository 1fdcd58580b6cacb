import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from scipy.stats import kstest
from torch import Tensor

from lightning_vi.__main__ import main
from lightning_vi.datamodules import Dequantisation, FixedBinarisation, StochasticBinarisation, Transform
from lightning_vi.datamodules.transforms import StepTransform, transform_once
from lightning_vi.errors import UserError

TRANSFORMS: list[Transform] = [StochasticBinarisation(), FixedBinarisation(), Dequantisation()]
BINARISATIONS: list[Transform] = [StochasticBinarisation(), FixedBinarisation()]
ALMOST_1 = 1 - 2.0**-24  # the largest float32 that torch.rand returns


def greys(maximum: int, copies: int) -> Tensor:
    """Every grey level, scaled as `UnitInterval` does, with shape (copies, L)."""
    return (torch.arange(maximum + 1.0) / maximum).repeat(copies, 1)


def at_step(transform: Transform, inputs: Tensor, epoch: int = 0, step: int = 0, seed: int = 7) -> Tensor:
    return StepTransform(transform, 255.0, seed)(inputs, epoch, step, len(inputs), slice(None))


@pytest.mark.parametrize("transform", BINARISATIONS)
def test_bits_are_1_with_the_probability_of_the_grey_value(transform: Transform) -> None:
    copies, inputs = 20_000, greys(16, 20_000)
    steps = [at_step(transform, inputs[:1000], epoch=step // 5, step=step % 5) for step in range(20)]
    for bits in (torch.cat(steps), transform_once(transform, inputs, 16.0, split=0)):
        assert bits.dtype == torch.float32
        assert set(bits.unique().tolist()) == {0.0, 1.0}
        p = inputs[0].double()
        deviation = (bits.double().mean(dim=0) - p).abs()
        assert (deviation <= 5 * (p * (1 - p) / copies).sqrt()).all()  # exactly 0 and 1 at black and white


def test_pixels_and_images_and_steps_and_splits_are_independent() -> None:
    half = torch.full((200, 50), 0.5)
    first = at_step(StochasticBinarisation(), half)
    others = [at_step(StochasticBinarisation(), half, *where) for where in ((0, 1), (1, 0), (0, 0, 8))]
    splits = [transform_once(FixedBinarisation(), half, 16.0, split) for split in range(3)]
    pairs = [(first, other) for other in others] + [(first[1:], first[:-1]), (first[:, 1:], first[:, :-1])]
    for one, other in [*pairs, (splits[0], splits[1]), (splits[0], splits[2]), (splits[1], splits[2])]:
        z = (one.eq(other).double() - 0.5).sum() / (one.numel() / 4) ** 0.5
        assert abs(z) < 5


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_step_is_a_function_of_seed_epoch_and_step_alone(transform: Transform) -> None:
    inputs = greys(255, 4)
    seen: dict[tuple[int, int, int], Tensor] = {}
    for seed in range(3):
        for epoch in range(3):
            for step in range(3):
                torch.manual_seed(seed)
                seen[seed, epoch, step] = at_step(transform, inputs, epoch, step, seed)
                torch.manual_seed(100)
                assert torch.equal(at_step(transform, inputs, epoch, step, seed), seen[seed, epoch, step])
    assert len({outputs.numpy().tobytes() for outputs in seen.values()}) == 27


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_inputs_and_global_generators_are_left_alone(transform: Transform) -> None:
    inputs = greys(255, 3)
    kept, state, numpys = inputs.clone(), torch.get_rng_state(), np.random.get_state(legacy=False)
    at_step(transform, inputs)
    transform_once(transform, inputs, 255.0, split=1)
    assert torch.equal(inputs, kept)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_equal(np.random.get_state(legacy=False), numpys)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_noise_drawn_once_is_the_mersenne_twisters(split: int) -> None:
    """So everybody has it. Should PyTorch change its generator, scores could not be compared with earlier ones."""
    seed = np.random.SeedSequence(2011, spawn_key=(split,)).generate_state(1, np.uint64)[0] % 2**32
    words = np.random.RandomState(seed).randint(0, 2**32, size=(100, 1, 8, 8), dtype=np.uint32)
    noise = torch.from_numpy((words % 2**24) / 2**24)
    for grey in (0.1, 0.5, 0.9):
        bits = transform_once(FixedBinarisation(), torch.full((100, 1, 8, 8), grey), 16.0, split)
        assert torch.equal(bits.bool(), noise < torch.tensor(grey))


@pytest.mark.parametrize("maximum", [16, 255])
@pytest.mark.parametrize("u", [0.0, 2.0**-24, 1e-5, 0.5, 1 - 1e-5, ALMOST_1])
def test_dequantised_pixels_stay_in_their_cell_however_near_its_border(maximum: int, u: float) -> None:
    inputs, transform = greys(maximum, 1), Dequantisation()
    outputs = transform(inputs, torch.full_like(inputs, u), float(maximum))
    levels = transform.levels(float(maximum))
    assert levels == maximum + 1
    assert outputs.dtype == torch.float32
    assert outputs.min() > 0
    assert outputs.max() < 1
    for exact in (outputs, outputs.double()):
        assert (exact * levels).floor().flatten().tolist() == list(range(levels))
    expected = (np.arange(levels) + u) / levels
    np.testing.assert_allclose(outputs[0].numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("maximum", [16, 255])
def test_inside_their_cell_dequantised_pixels_are_uniform(maximum: int) -> None:
    levels = maximum + 1
    outputs = transform_once(Dequantisation(), greys(maximum, 100_000 // levels), float(maximum), split=0)
    inside = (outputs.double() * levels).frac()
    assert kstest(inside.flatten().numpy(), "uniform").pvalue > 1e-3
    # All levels as often as each other: the whole of [0, 1) is covered evenly.
    assert kstest(outputs.flatten().numpy(), "uniform").pvalue > 1e-3


def test_levels() -> None:
    assert [transform.levels(255.0) for transform in TRANSFORMS] == [None, None, 256]


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_parts_of_a_block_together_are_the_block(transform: Transform, world_size: int) -> None:
    inputs, each = greys(255, 12), StepTransform(transform, 255.0, 7)
    whole = each(inputs, 2, 5, 12, slice(0, 12))
    cuts = [slice(12 * rank // world_size, 12 * (rank + 1) // world_size) for rank in range(world_size)]
    parts = [each(inputs[cut], 2, 5, 12, cut) for cut in cuts]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(parts[0], parts[1])


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_copies_are_equal(transform: Transform) -> None:
    assert pickle.loads(pickle.dumps(transform)) == copy.deepcopy(transform) == transform
    assert repr(transform) == f"{type(transform).__name__}()"


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_inputs_that_are_no_grey_values_are_refused(transform: Transform) -> None:
    name = type(transform).__name__
    for wrong, interval in ((greys(255, 2) * 2, r"\[0, 2\]"), (greys(255, 2) - 0.5, r"\[-0.5, 0.5\]")):
        with pytest.raises(UserError, match=rf"{name}: inputs must lie in \[0, 1\], but these lie in {interval}; set"):
            transform.check(wrong, 255.0)
    for right in (greys(255, 2), greys(255, 2)[:0]):
        transform.check(right, 255.0)


def test_dequantisation_refuses_inputs_between_the_levels() -> None:
    with pytest.raises(UserError, match="whole grey levels over 16, but these are not; set scaling to UnitInterval"):
        Dequantisation().check(greys(255, 1), 16.0)


@pytest.mark.parametrize("name", ["StochasticBinarisation", "FixedBinarisation", "Dequantisation", None])
def test_the_command_line_knows_them_by_name(
    name: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(variable, "0")
    option = [] if name is None else [f"--data.transform={name}"]
    with pytest.raises(SystemExit):
        main(["fit", "--config=bbb_digits.yaml", *option, "--print_config"])
    config: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    expected = None if name is None else {"class_path": f"lightning_vi.datamodules.{name}"}
    assert config["data"]["init_args"]["transform"] == expected
