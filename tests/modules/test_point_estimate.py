from functools import partial
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.errors import UserError
from lightning_vi.modules import PointEstimate
from lightning_vi.networks import MLP
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


def data() -> TensorDataset:
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    return TensorDataset(x, (x.sum(1) > 0).long())


def module(**options: Any) -> PointEstimate:
    torch.manual_seed(1)
    return PointEstimate(partial(MLP, hidden=[16], dropout=0.5), (4,), 2, **options)


def test_dropout_draws_are_those_of_test_validation_and_prediction() -> None:
    dropout, loader, (x, y) = module(dropout_draws=7), DataLoader(data(), 9), data().tensors
    run = trainer()
    run.fit(dropout, loader, loader)
    fitted = run.callback_metrics
    (test,) = run.test(dropout, loader, verbose=False)
    (val,) = run.validate(dropout, loader, verbose=False)
    predicted = run.predict(dropout, loader)
    assert predicted is not None
    truth = dropout.predict(x)
    torch.testing.assert_close(torch.cat([each.outputs for each in predicted], dim=1), truth.outputs)  # type: ignore[union-attr]
    assert test["test/nll"] == pytest.approx(float(truth.nll(y).mean()), rel=1e-5)
    assert val["val/nll"] == pytest.approx(test["test/nll"])
    assert float(fitted["val/nll"]) == pytest.approx(float(dropout.predict(x, draws=5).nll(y).mean()), rel=1e-5)
    wrong = dropout.predict(x, draws="mean").probabilities.argmax(-1) != y
    assert test["test/error_mean"] == pytest.approx(100 * float(wrong.float().mean()), rel=1e-5)


def test_without_the_option_dropout_is_off() -> None:
    plain, loader = module(), DataLoader(data(), 9)
    (test,) = trainer().test(plain, loader, verbose=False)
    assert "test/error_mean" not in test
    x, y = data().tensors
    assert test["test/nll"] == pytest.approx(float(plain.predict(x, draws="mean").nll(y).mean()), rel=1e-5)


def test_drawing_masks_for_validation_does_not_change_training() -> None:
    weights = []
    for draws in (None, 3):
        dropout, loader = module(dropout_draws=draws), DataLoader(data(), 9)
        torch.manual_seed(3)
        trainer(max_epochs=2).fit(dropout, loader, loader)
        weights.append(torch.nn.utils.parameters_to_vector(dropout.parameters()))
    assert torch.equal(*weights)


def test_the_option_needs_dropout_and_positive_numbers() -> None:
    with pytest.raises(UserError, match="MLP has no layer Dropout"):
        PointEstimate(partial(MLP, hidden=[16]), (4,), 2, dropout_draws=5)
    for name in ("dropout_draws", "val_dropout_draws"):
        with pytest.raises(UserError, match=rf"PointEstimate: {name} \(=0\) must be at least 1"):
            module(**{"dropout_draws": 5, name: 0})
