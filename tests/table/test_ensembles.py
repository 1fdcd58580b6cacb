from inspect import signature
from typing import Any

import pytest
from torch.optim import Adam

from lightning_vi.modules import BayesByBackprop, DeepEnsemble, MeanField, PointEstimate
from lightning_vi.table.ensembles import member, obstacle, settings

BAYESIAN: dict[str, Any] = {
    "model": "lightning_vi.modules.BayesByBackprop",
    "model.net": "MLP",
    "model.net.draws": 3,  # a network's option of that name is none of the posterior's
    "model.prior": "Gaussian",
    "model.prior.sigma": 2.0,
    "model.draws": 5,
    "model.optimizer.lr": 0.1,
    "data": "Digits",
    "trainer.max_epochs": 2,
    "trainer.callbacks+": ["X"],
}


def test_a_bayesian_model_becomes_an_ensemble_of_them() -> None:
    made = settings(BAYESIAN, 3)
    check = "lightning_vi.table.comparable.Comparable"
    assert made == {
        "model": "DeepEnsemble",
        "model.members": 3,
        "model.own_orders": True,
        "model.mean_field": "MeanField",
        "model.optimizer": "Adam",
        "model.net": "MLP",
        "model.net.draws": 3,
        "model.mean_field.prior": "Gaussian",
        "model.mean_field.prior.sigma": 2.0,
        "model.mean_field.draws": 5,
        "model.optimizer.lr": 0.1,
        "data": "Digits",
        "trainer.max_epochs": 2,
        "trainer.callbacks+": ["X", check],
    }
    # On the command line a class stands before its arguments.
    assert list(made).index("model.optimizer") < list(made).index("model.optimizer.lr")
    assert BAYESIAN["trainer.callbacks+"] == ["X"]


def test_a_point_estimate_becomes_an_ensemble_of_them() -> None:
    made = settings({"model": "PointEstimate", "model.net": "MLP", "model.optimizer": "SGD"}, 2)
    assert {name: value for name, value in made.items() if name.startswith("model")} == {
        "model": "DeepEnsemble",
        "model.members": 2,
        "model.own_orders": True,
        "model.net": "MLP",
        "model.optimizer": "SGD",
    }


def defaults(kind: type) -> dict[str, str]:
    return {name: repr(each.default) for name, each in signature(kind).parameters.items()}


def test_what_a_configuration_leaves_out_is_the_same_for_a_member() -> None:
    bayesian, ensemble = defaults(BayesByBackprop), defaults(DeepEnsemble)
    assert defaults(MeanField).items() <= bayesian.items()
    assert bayesian["optimizer"] == repr(Adam)
    for name in ("likelihood", "lr_scheduler"):
        assert bayesian[name] == ensemble[name]
    given = defaults(PointEstimate)
    shared = {name: each for name, each in given.items() if not name.endswith("dropout_draws")}  # which is an obstacle
    assert {name: ensemble[name] for name in shared} == shared


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"model": "DeepEnsemble"}, "model (=DeepEnsemble) must be PointEstimate or BayesByBackprop."),
        ({}, "model (=None) must be PointEstimate or BayesByBackprop."),
        (
            {"model": "PointEstimate", "data.seed": 0},
            "data.seed (=0) gives all seeds the same order of examples; leave it out.",
        ),
        (
            {"model": "BayesByBackprop", "model.temperature": 0.1},
            "model.temperature (=0.1) is an option of a single model only.",
        ),
        ({"model": "PointEstimate", "data.seed": None}, None),
        (
            {"model": "PointEstimate", "model.dropout_draws": 50},
            "model.dropout_draws (=50) is an option of a single model only.",
        ),
        (BAYESIAN, None),
    ],
)
def test_what_no_ensemble_can_be_is_known_at_once(given: dict[str, Any], reason: str | None) -> None:
    assert obstacle(given) == reason


def test_a_member_has_its_own_scores_and_curves() -> None:
    content = {
        "scores": {"test/error": 5.0, "test/error_members": 6.0, "test/error/1": 1.0, "test/error/11": 2.0},
        "curves": {"train/nll": {"1": 0.5}, "val/nll": {"1": 0.4}, "val/nll/1": {"1": 0.3}},
        "weights": 120,
        "seconds": 60.0,
        "epochs": 4,
    }
    assert member(content, 1, 12) == {
        "scores": {"test/error": 1.0},
        "curves": {"val/nll": {"1": 0.3}},
        "weights": 10,
        "seconds": 5.0,
        "epochs": 4,
    }
