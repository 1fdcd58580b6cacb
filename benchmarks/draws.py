"""Several draws of the weights: a training step with S of them, predicting with M, and matrix products in bfloat16."""

import math
from collections.abc import Callable

import torch

from benchmarks.pairs import Row, alternate
from benchmarks.step import SGD, bayesian, training_step
from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators import Estimate, WeightSampling
from lightning_vi.likelihoods import Categorical
from lightning_vi.networks import MLP
from lightning_vi.objectives import Epoch, negative_elbo
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.predictive import sampled_outputs
from lightning_vi.priors import Gaussian, ScaleMixture

IMAGES, DRAWS, BATCH = 10_000, 10, 2_000


def model_of(inputs: int, units: int) -> BayesianModule:
    """A network with two hidden layers and a Gaussian prior, its loops compiled."""
    model = BayesianModule(MLP((inputs,), 10, [units, units]), Gaussian(1.0), SoftplusScale())
    if not model.compile_draws():
        raise RuntimeError("the loops could not be compiled")
    return model


def training(units: int, samples: int, batch: tuple[torch.Tensor, torch.Tensor], loop: bool) -> Callable[[], None]:
    """A step with S draws, run in the way that is chosen or one after another."""
    model, estimator, likelihood = model_of(batch[0].shape[1], units), WeightSampling(samples), Categorical()
    epoch, (x, y) = Epoch(50_000, 50_000, 391), batch

    def loss() -> torch.Tensor:
        if loop:
            draws = [model.draw() for _ in range(samples)]
            outputs = torch.stack([model(x, draw.weights) for draw in draws])
            estimate = Estimate(outputs, torch.stack([draw.kl for draw in draws]).mean())
        else:
            estimate = estimator(model, x)
        return negative_elbo(estimate, likelihood, y, 1 / epoch.batches, epoch).loss

    return training_step(loss, SGD(model.parameters()))


def prediction(units: int) -> dict[str, Callable[[], object]]:
    """10,000 images under 10 draws, by the package; and what cannot be saved: 10 passes of one network, 10 draws."""
    model, images = model_of(784, units), torch.randn(IMAGES, 784)
    mean = model.mean()

    @torch.no_grad()
    def ours() -> None:
        for inputs in images.split(BATCH):
            sampled_outputs(model, inputs, DRAWS)

    @torch.no_grad()
    def least() -> None:
        noise = model.noise.evaluation()
        for _ in range(DRAWS):
            model.sample(noise)
            for inputs in images.split(BATCH):
                model(inputs, mean)

    return {"ours": ours, "least": least}


def rows(repeats: int) -> list[Row]:
    """All of it."""
    result = []
    for inputs, units in ((64, 32), (64, 64), (784, 400)):
        batch = torch.randn(128, inputs), torch.randint(10, (128,))
        for samples in (1, 2, 5, 10):
            ours, loop = training(units, samples, batch, False), training(units, samples, batch, True)
            times = alternate({"ours": ours, "loop": loop}, repeats)
            name = f"BBB step, {samples} draws, against one after another"
            result.append(Row(name, f"{inputs}-{units}-{units}-10", times["ours"], times["loop"], 1.05))
    for units in (400, 1200):
        times = alternate(prediction(units), max(1, repeats // 10), warmup=1)
        name = f"prediction, {DRAWS} draws, {IMAGES:,} images, against passes and draws alone"
        result.append(Row(name, f"784-{units}-{units}-10", times["ours"], times["least"], 1.3))
        x, y = torch.randn(128, 784), torch.randint(10, (128,))
        for prior in (Gaussian(1.0), ScaleMixture(0.5, 1.0, math.exp(-6))):
            single, mixed = bayesian(units, x, y, prior), bayesian(units, x, y, prior, bfloat16=True)
            times = alternate({"single": single, "mixed": mixed}, repeats)
            name = f"BBB step, {type(prior).__name__}, bf16-mixed against float32"
            result.append(Row(name, f"784-{units}-{units}-10", times["mixed"], times["single"], 0.75))
    return result
