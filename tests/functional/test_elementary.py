import torch

from lightning_vi.functional import elementary


def relative_error(value: torch.Tensor, truth: torch.Tensor) -> float:
    return float(((value.double() - truth) / truth).abs().max())


def test_softplus_by_polynomial_and_its_slope() -> None:
    x = torch.linspace(-80, 80, 200_001)
    softplus, slope = elementary.softplus_and_slope_polynomial(x)
    exact = torch.log1p(torch.exp(-x.double().abs())) + x.double().clamp(min=0)
    assert relative_error(softplus, exact) < 3e-7
    assert relative_error(slope, torch.sigmoid(x.double())) < 3e-7


def test_log_by_polynomial() -> None:
    x = torch.logspace(-37, 37, 200_001)
    exact = x.double().log()
    assert ((elementary.log_polynomial(x).double() - exact).abs() < 3e-7 * exact.abs() + 1e-7).all()
    assert elementary.log_polynomial(torch.ones(1)).item() == 0.0


def test_library_functions_outside_the_compiler() -> None:
    x = torch.linspace(-60, 60, 1001, dtype=torch.float64)
    softplus, slope = elementary.softplus_and_slope(x)
    torch.testing.assert_close(softplus, torch.logaddexp(x, torch.zeros_like(x)), rtol=1e-14, atol=0)
    torch.testing.assert_close(slope, torch.sigmoid(x))
    positive = x.abs() + 1e-3
    assert torch.equal(elementary.log(positive), positive.log())
    torch.testing.assert_close(
        elementary.log1p_exp_neg(positive), torch.logaddexp(-positive, torch.zeros_like(x)), rtol=1e-12, atol=0
    )


def test_log1p_of_unit() -> None:
    t = torch.linspace(0, 1, 100_001)[1:]
    assert relative_error(elementary.log1p_of_unit(t), t.double().log1p()) < 3e-7


def test_exp_neg() -> None:
    x = torch.linspace(0, 87, 100_001)
    assert relative_error(elementary.exp_neg_polynomial(x), torch.exp(-x.double())) < 3e-7
    assert relative_error(elementary.exp_neg(x)[x < 40], torch.exp(-x.double())[x < 40]) < 3e-7 * 40
    assert elementary.exp_neg(x)[x > 40].max() < 5e-18


def test_cosine_and_sine_by_polynomials() -> None:
    turns = torch.cat([torch.arange(0, 1 << 32, 65_537), (torch.arange(17) << 28).clamp(max=(1 << 32) - 1)])
    angle = turns.double() * (2 * torch.pi / 2**32)
    cosine, sine = elementary.cos_and_sin_polynomial(turns)
    assert (cosine - angle.cos()).abs().max() < 2e-7
    assert (sine - angle.sin()).abs().max() < 2e-7
    for ours, exact in zip(elementary.cos_and_sin(turns, torch.float64), (angle.cos(), angle.sin()), strict=True):
        torch.testing.assert_close(ours, exact, rtol=0, atol=1e-15)
