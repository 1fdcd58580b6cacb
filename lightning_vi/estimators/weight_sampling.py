"""One draw of the weights for the whole minibatch."""

import torch
from torch import Tensor

from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators.estimator import Estimate, Estimator


class WeightSampling(Estimator):
    """Run the minibatch on weights w = mu + sigma epsilon. See :class:`Estimator`.

    The cheapest estimator, for any network; all examples of the minibatch share the noise.

    References:
        Blundell et al. (2015), Weight Uncertainty in Neural Networks, section 3.2.
    """

    def __call__(self, model: BayesianModule, inputs: Tensor) -> Estimate:
        """See :class:`Estimator`."""
        epsilons = ((model.epsilon(noise), sign) for noise, sign in self._noise(model))
        draws = [model.draw(epsilon if sign > 0 else -epsilon) for epsilon, sign in epsilons]
        if len(draws) == 1:
            return Estimate(model(inputs, draws[0].weights).unsqueeze(0), draws[0].kl)
        outputs = model.outputs(inputs, (draw.weights for draw in draws), len(draws))
        return Estimate(outputs, torch.stack([draw.kl for draw in draws]).mean())
