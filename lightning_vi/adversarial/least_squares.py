from torch import Tensor

from lightning_vi.adversarial.loss import AdversarialLoss


class LeastSquares(AdversarialLoss):
    """D(x) = f(x) is pulled towards 1 for data and 0 for generated examples, by half the squared error.

    References:
        Mao, Li, Xie, Lau, Wang, Smolley 2017, Least Squares Generative Adversarial Networks, equation 9.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """See `AdversarialLoss.discriminator`."""
        return 0.5 * ((real - 1.0).square().mean() + fake.square().mean())

    def generator(self, fake: Tensor) -> Tensor:
        """See `AdversarialLoss.generator`."""
        return 0.5 * (fake - 1.0).square().mean()

    def judgement(self, outputs: Tensor) -> Tensor:
        """See `AdversarialLoss.judgement`."""
        return outputs
