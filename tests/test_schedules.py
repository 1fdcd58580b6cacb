import functools
import io
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import scipy.special
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch.cli import LRSchedulerCallable
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from lightning_vi.errors import UserError
from lightning_vi.schedules import BurdaLR, CosineLR, HarmonicLR, InverseTimeLR, MomentumRampLR


def optimizer(*rates: float) -> SGD:
    return SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def rates(scheduler: LRScheduler, steps: int) -> Iterator[list[float]]:
    """The learning rates of all groups at t = 0 ... steps - 1."""
    for _ in range(steps):
        yield [float(rate) for rate in scheduler.get_last_lr()]
        scheduler.optimizer.step()
        scheduler.step()


def test_inverse_time_is_the_lectures_formula_for_each_group() -> None:
    found = list(rates(InverseTimeLR(optimizer(0.5, 0.01), c=2.0), 20))
    assert found == [[0.5 / (1 + 0.5 * t / 2.0), 0.01 / (1 + 0.01 * t / 2.0)] for t in range(20)]


def test_harmonic_is_the_lectures_formula_for_each_group() -> None:
    found = list(rates(HarmonicLR(optimizer(0.5, 0.01)), 20))
    assert found == [[0.5 / (1 + t), 0.01 / (1 + t)] for t in range(20)]


def test_the_rates_are_square_summable_but_not_summable() -> None:
    """Partial sums are c (psi(a + T) - psi(a)), a = c / gamma_0: unbounded; those of squares have a limit."""
    gamma, steps = 0.5, 10_000
    # The harmonic schedule is the inverse-time one with c = gamma_0.
    for scheduler, c in ((InverseTimeLR(optimizer(gamma), 3.0), 3.0), (HarmonicLR(optimizer(gamma)), gamma)):
        found = np.array([rate for (rate,) in rates(scheduler, steps)])
        a = c / gamma
        psi, trigamma = scipy.special.digamma, functools.partial(scipy.special.polygamma, 1)
        assert math.fsum(found) == pytest.approx(c * (psi(a + steps) - psi(a)), rel=1e-10)
        assert math.fsum(found**2) == pytest.approx(c**2 * (trigamma(a) - trigamma(a + steps)), rel=1e-10)
        # Each further decade of steps adds the same c log 10 to the sum, and ever less to the squares.
        decade = found[1_000:].sum()
        assert decade == pytest.approx(c * math.log(10), rel=0.01)
        assert (found[1_000:] ** 2).sum() == pytest.approx(0.9 * c**2 / 1_000, rel=0.02)


def test_burdas_stages_are_those_of_the_paper() -> None:
    """3^i passes over the data at gamma_0 10^(-i/7), i = 0 ... 7, for a total of 3280 passes."""
    paper = [10 ** (-i / 7) for i in range(8) for _ in range(3**i)]
    assert len(paper) == 3280
    found = list(rates(BurdaLR(optimizer(0.001, 0.5)), 3300))
    np.testing.assert_allclose(found, np.outer(paper + 20 * [0.1], [0.001, 0.5]), rtol=1e-14)
    assert BurdaLR.STARTS == (0, 1, 4, 13, 40, 121, 364, 1093)


def ramp(sgd: SGD) -> MomentumRampLR:
    return MomentumRampLR(sgd, momentum=0.7, ramp=4, decay=0.9)


def test_momentum_goes_in_a_straight_line_and_stays() -> None:
    sgd = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.5)
    momenta, found = [], []
    for (rate,) in rates(ramp(sgd), 7):
        momenta.append(sgd.param_groups[0]["momentum"])
        found.append(rate)
    np.testing.assert_allclose(momenta, [0.5, 0.55, 0.6, 0.65, 0.7, 0.7, 0.7], rtol=1e-14)
    np.testing.assert_allclose(found, 0.1 * 0.9 ** np.arange(7), rtol=1e-14)


def test_goodfellows_rate_falls_by_his_factor_at_each_of_500_updates() -> None:
    found = [rate for (rate,) in rates(MomentumRampLR(SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)), 300)]
    np.testing.assert_allclose(found, 0.1 * 1.000004 ** (-500.0 * np.arange(300)), rtol=1e-4)


def test_a_resumed_ramp_goes_on() -> None:
    whole, first, second = (SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.5) for _ in range(3))
    uninterrupted, started, resumed = ramp(whole), ramp(first), ramp(second)
    list(rates(uninterrupted, 3))
    list(rates(started, 2))
    load(started, resumed)
    list(rates(resumed, 1))
    assert second.param_groups[0]["momentum"] == whole.param_groups[0]["momentum"] == pytest.approx(0.65)
    assert second.param_groups[0]["lr"] == whole.param_groups[0]["lr"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, r"MomentumRampLR: momentum \(=1.0\) must lie in \[0, 1\)"),
        ({"decay": 0.0}, r"decay \(=0.0\) must lie in \(0, 1\]"),
        ({"ramp": 0}, r"ramp \(=0\) must be at least 1"),
    ],
)
def test_ramps_that_are_none(options: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MomentumRampLR(optimizer(0.1), **options)  # type: ignore[arg-type]  # the wrong ones are what is tested


def test_a_ramp_needs_an_optimizer_with_momentum() -> None:
    with pytest.raises(UserError, match=r"MomentumRampLR: Adam has no momentum\. Take SGD\."):
        MomentumRampLR(Adam([torch.nn.Parameter(torch.zeros(1))]))


def cosine(sgd: SGD, epochs: int = 12) -> CosineLR:
    scheduler = CosineLR(sgd)
    scheduler.epochs = epochs
    return scheduler


def load(saved: LRScheduler, scheduler: LRScheduler) -> None:
    """Load a schedule and its optimizer into another by way of a file."""
    file = io.BytesIO()
    torch.save({"scheduler": saved.state_dict(), "optimizer": saved.optimizer.state_dict()}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    scheduler.optimizer.load_state_dict(loaded["optimizer"])
    scheduler.load_state_dict(loaded["scheduler"])


@pytest.mark.parametrize(
    "make",
    [functools.partial(InverseTimeLR, c=2.0), HarmonicLR, BurdaLR, cosine],
    ids=["inverse time", "harmonic", "Burda", "cosine"],
)
def test_a_resumed_schedule_goes_on_where_it_was(make: Callable[[SGD], LRScheduler]) -> None:
    unbroken = list(rates(make(optimizer(0.5, 0.01)), 12))
    first, second = make(optimizer(0.5, 0.01)), make(optimizer(0.5, 0.01))
    head = list(rates(first, 5))
    load(first, second)
    assert head + list(rates(second, 7)) == unbroken


@pytest.mark.parametrize("epochs", [1, 7, 300])
def test_cosine_is_torchs_up_to_its_end_and_zero_beyond(epochs: int) -> None:
    found = list(rates(cosine(optimizer(0.5, 0.01), epochs), epochs + 5))
    torchs = list(rates(CosineAnnealingLR(optimizer(0.5, 0.01), T_max=epochs), epochs + 1))
    np.testing.assert_allclose(found[: epochs + 1], torchs, rtol=1e-9, atol=1e-14)
    assert found[epochs:] == [[0.0, 0.0]] * 5


def test_a_cosine_resumed_for_longer_goes_on_with_the_longer_runs_rates() -> None:
    short, long = cosine(optimizer(0.5, 0.01), 5), cosine(optimizer(0.5, 0.01), 12)
    list(rates(short, 5))
    load(short, long)
    resumed = list(rates(long, 7))
    assert [group["lr"] for group in short.optimizer.param_groups] == [0.0, 0.0]
    assert resumed == list(rates(cosine(optimizer(0.5, 0.01), 12), 12))[5:]


def test_a_cosine_has_to_know_the_length_of_the_run() -> None:
    scheduler = CosineLR(optimizer(0.5))
    assert scheduler.epochs is None
    assert scheduler.get_last_lr() == [0.5]
    scheduler.optimizer.step()
    with pytest.raises(UserError, match=r"CosineLR: epochs \(=None\) must be the length of the run"):
        scheduler.step()
    for unknown in (None, -1, 0):
        with pytest.raises(UserError, match=rf"CosineLR: epochs \(={unknown}\) .* give --trainer.max_epochs too"):
            scheduler.epochs = unknown


def test_schedules_are_chosen_by_class_path() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--lr_scheduler", type=LRSchedulerCallable)
    chosen = {"class_path": "lightning_vi.schedules.InverseTimeLR", "init_args": {"c": 4.0}}
    inverse_time = parser.instantiate(parser.parse_object({"lr_scheduler": chosen})).lr_scheduler(optimizer(0.1))
    assert isinstance(inverse_time, InverseTimeLR)
    assert inverse_time.c == 4.0
    chosen = {"class_path": "lightning_vi.schedules.HarmonicLR"}
    harmonic = parser.instantiate(parser.parse_object({"lr_scheduler": chosen})).lr_scheduler(optimizer(0.1))
    assert isinstance(harmonic, HarmonicLR)
    chosen = {"class_path": "lightning_vi.schedules.BurdaLR"}
    stages = parser.instantiate(parser.parse_object({"lr_scheduler": chosen})).lr_scheduler(optimizer(0.1))
    assert isinstance(stages, BurdaLR)
    chosen = {"class_path": "lightning_vi.schedules.CosineLR"}
    whole_run = parser.instantiate(parser.parse_object({"lr_scheduler": chosen})).lr_scheduler(optimizer(0.1))
    assert isinstance(whole_run, CosineLR)


@pytest.mark.parametrize("c", [0.0, -1.0, math.inf, math.nan])
def test_c_that_is_not_positive_and_finite_is_refused(c: float) -> None:
    with pytest.raises(UserError, match=rf"InverseTimeLR: c \(={c}\) must be positive"):
        InverseTimeLR(optimizer(0.1), c)
