import pytest
import torch

from lightning_vi.errors import UserError
from lightning_vi.priors import ByName, FanInGaussian, Gaussian, ScaleMixture

SHAPES = {
    "0.weight": torch.Size((4, 3)),
    "0.bias": torch.Size((4,)),
    "head.weight": torch.Size((2, 4)),
    "head.bias": torch.Size((2,)),
}


def test_the_first_pattern_that_matches_decides() -> None:
    wide, mixture, rest = Gaussian(10.0), ScaleMixture(), Gaussian(1.0)
    rule = ByName({".*bias": wide, r"head\..*": mixture, ".*": rest})
    assert rule.assign(SHAPES) == {
        "0.weight": rest,
        "0.bias": wide,
        "head.weight": mixture,
        "head.bias": wide,
    }


def test_a_rule_inside_a_rule() -> None:
    rule = ByName({"head.*": Gaussian(0.1), ".*": FanInGaussian(1.0)})
    priors = rule.assign(SHAPES)
    assert priors["0.weight"] == Gaussian(1 / 3**0.5)
    assert priors["0.bias"] == Gaussian(1.0)
    assert priors["head.weight"] == priors["head.bias"] == Gaussian(0.1)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["*bias"], r"ByName: priors has '\*bias', which is no regular expression"),
        ([".*bias"], r"ByName: priors \(='\.\*bias'\) have none that matches the parameter '0.weight'. Add '\.\*'"),
        (
            [".*", "head.*"],
            r"ByName: priors has 'head\.\*', which no random parameter is the first to match; there are: 0",
        ),
        (["weight", ".*"], r"ByName: priors has 'weight', which no random parameter is the first to match"),
    ],
)
def test_patterns_that_do_not_fit(patterns: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ByName(dict.fromkeys(patterns, Gaussian())).assign(SHAPES)
