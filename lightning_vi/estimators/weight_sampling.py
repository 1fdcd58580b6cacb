"""One draw of the weights for the whole minibatch."""

from torch import Tensor

from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators.estimator import Estimator
from lightning_vi.noise import NoiseStream


class WeightSampling(Estimator):
    """Run the minibatch on weights w = mu + sigma epsilon. See :class:`Estimator`.

    The cheapest estimator, for any network; all examples of the minibatch share the noise.

    References:
        Blundell et al. (2015), Weight Uncertainty in Neural Networks, section 3.2.
    """

    def _run(self, model: BayesianModule, inputs: Tensor, noise: NoiseStream, sign: float) -> tuple[Tensor, Tensor]:
        epsilon = model.epsilon(noise)
        draw = model.draw(epsilon if sign > 0 else -epsilon)
        return model(inputs, draw.weights), draw.kl
