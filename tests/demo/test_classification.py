import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_vi.__main__ import main
from lightning_vi.datamodules import MNIST, Digits, Divide, Scaling, Standardise
from lightning_vi.demo.classification import Classifier, classifier
from lightning_vi.demo.drawing import digit
from lightning_vi.errors import UserError
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop, DeepEnsemble, PointEstimate, SupervisedModule
from tests.demo.conftest import SHORT
from tests.demo.test_drawing import drawn


def loaded(path: Path) -> Classifier:
    module = load(path, LightningModule)
    assert isinstance(module, SupervisedModule)
    return classifier("a name", module, path)


def digits(scaling: Scaling) -> tuple[Tensor, Tensor]:
    """The bundled test images in [0, 1], and as inputs of a model trained with a scaling."""
    pixels = Digits().splits().test.tensors[0]
    return pixels, Digits(scaling=scaling).splits().test.tensors[0]


def change(path: Path, copy: Path, key: str, value: Any) -> Path:
    """A copy of a checkpoint that says something else of its pixels."""
    content = torch.load(path, weights_only=True)
    content["Digits"]["pixels"][key] = value
    torch.save(content, copy)
    return copy


def test_a_verdict_is_the_models_own_prediction_of_the_test_images(runs: dict[str, Path]) -> None:
    images, inputs = digits(Standardise())
    found = loaded(runs["bbb"])
    module = found.module
    assert isinstance(module, BayesByBackprop)
    own, single = module.predictive(inputs, draws=7), module.predictive(inputs, "mean")
    for index in (0, 100, 359):
        verdict = found.verdict(images[index], draws=7)
        torch.testing.assert_close(verdict.mean, own.probabilities[index])
        assert verdict.draws.shape == (7, 10)
        torch.testing.assert_close(verdict.draws.mean(dim=0), own.probabilities[index])
        assert verdict.entropy == pytest.approx(own.entropy[index].item(), rel=1e-4)
        assert verdict.mutual_information == pytest.approx(own.mutual_information[index].item(), rel=1e-3, abs=1e-6)
        assert verdict.single is not None
        torch.testing.assert_close(verdict.single, single.probabilities[index])


def test_uncertainty_is_that_of_the_draws(runs: dict[str, Path]) -> None:
    images, _ = digits(Standardise())
    verdict = loaded(runs["bbb"]).verdict(images[3], draws=20)
    p = verdict.draws.double()
    mean = p.mean(dim=0)
    entropy = -(mean * mean.log()).sum().item()
    assert verdict.entropy == pytest.approx(entropy, rel=1e-5)
    expected = -(p * p.log()).sum(dim=1).mean().item()
    assert verdict.mutual_information == pytest.approx(entropy - expected, abs=1e-5)
    assert 0 < verdict.entropy < math.log(10)


def test_an_ensemble_shares_out_the_draws_among_its_members(runs: dict[str, Path]) -> None:
    images, inputs = digits(Divide())
    found = loaded(runs["ensemble"])
    assert isinstance(found.module, DeepEnsemble)
    verdict = found.verdict(images[0], draws=50)
    assert verdict.draws.shape == (50, 10)  # 10 of each of 5 members
    assert verdict.single is None
    torch.testing.assert_close(verdict.mean, found.module.predictive(inputs[:1], draws=10).probabilities[0])


def test_drawn_mnist_digits_have_the_models_own_predictions(
    mnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIGHTNING_VI_DATA", str(mnist_root))
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    assert main(["fit", "--config=mlp_mnist.yaml", *SHORT]) == 0  # pixels / 126
    found = loaded(tmp_path / "runs/mlp_mnist/version_0/checkpoints/last.ckpt")
    assert isinstance(found.module, PointEstimate)
    data = MNIST(root=mnist_root)
    inputs = data.splits().test.tensors[0][:50]
    own = found.module.predictive(inputs).probabilities
    for image, expected in zip(inputs * 126 / 255, own, strict=True):
        seen = digit(drawn(image), found.side)
        assert seen is not None
        verdict = found.verdict(seen, draws=50)
        torch.testing.assert_close(verdict.mean, expected, atol=1e-5, rtol=0)
        assert verdict.draws.shape == (1, 10)
        assert verdict.mutual_information == pytest.approx(0.0, abs=1e-6)


def test_models_that_cannot_be_asked_about_a_drawing(runs: dict[str, Path], tmp_path: Path) -> None:
    path, copy = runs["bbb"], tmp_path / "a.ckpt"
    for key, value, reason in (
        ("scaling", None, "does not say how its pixels were scaled"),
        ("scaling", {"shift": 1.0}, "does not say how its pixels were scaled"),
        ("scaling", {"shift": "a", "scale": 1.0}, "does not say how its pixels were scaled"),
        ("transform", "FixedBinarisation", "was trained on pixels after FixedBinarisation"),
    ):
        with pytest.raises(UserError, match=reason):
            loaded(change(path, copy, key, value))
    content = torch.load(path, weights_only=True)
    del content["Digits"]["pixels"]  # as of an earlier version
    torch.save(content, copy)
    with pytest.raises(UserError, match=r"a\.ckpt does not say how its pixels were scaled\. Train it"):
        loaded(copy)


def test_other_inputs_and_targets_are_refused(runs: dict[str, Path]) -> None:
    module = load(runs["bbb"], BayesByBackprop)
    for shape in ((64,), (3, 8, 8), (1, 8, 9)):
        module.input_shape = shape
        with pytest.raises(UserError, match=r"its inputs \(of shape .*\) must be grey square images"):
            classifier("a name", module, runs["bbb"])
