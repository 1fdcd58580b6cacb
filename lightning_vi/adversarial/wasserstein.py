from torch import Tensor

from lightning_vi.adversarial.loss import AdversarialLoss


class Wasserstein(AdversarialLoss):
    """The Wasserstein-1 distance, E[f(x)] - E[f(G(z))] for the best f of slope at most 1.

    The loss itself bounds no slope: it needs `GradientPenalty` or a spectrally normalised discriminator.

    References:
        Arjovsky, Chintala, Bottou 2017, Wasserstein Generative Adversarial Networks, equation 2.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """See `AdversarialLoss.discriminator`."""
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        """See `AdversarialLoss.generator`."""
        return -fake.mean()

    def judgement(self, outputs: Tensor) -> Tensor:
        """See `AdversarialLoss.judgement`."""
        return outputs
