"""One draw of the weights for the whole minibatch."""

from torch import Tensor

from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators.estimator import Estimator


class WeightSampling(Estimator):
    """Run the minibatch on weights w = mu + sigma epsilon. See :class:`Estimator`.

    The cheapest estimator, for any network; all examples of the minibatch share the noise.

    References:
        Blundell et al. (2015), Weight Uncertainty in Neural Networks, section 3.2.
    """

    def _run(self, model: BayesianModule, inputs: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        draw = model.draw(epsilon)
        return model(inputs, draw.weights), draw.kl
