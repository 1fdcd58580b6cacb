import torch

from lightning_vi.functional import elementary


def relative_error(value: torch.Tensor, truth: torch.Tensor) -> float:
    return float(((value.double() - truth) / truth).abs().max())


def test_softplus_series_and_its_slope() -> None:
    x = torch.linspace(-80, 80, 200_001)
    softplus, slope = elementary.softplus_and_slope_series(x)
    exact = torch.log1p(torch.exp(-x.double().abs())) + x.double().clamp(min=0)
    assert relative_error(softplus, exact) < 3e-7
    assert relative_error(slope, torch.sigmoid(x.double())) < 3e-7


def test_log_series() -> None:
    x = torch.logspace(-37, 37, 200_001)
    exact = x.double().log()
    assert ((elementary.log_series(x).double() - exact).abs() < 3e-7 * exact.abs() + 1e-7).all()
    assert elementary.log_series(torch.ones(1)).item() == 0.0


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
