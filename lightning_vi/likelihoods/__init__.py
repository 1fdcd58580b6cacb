from lightning_vi.likelihoods.bernoulli import Bernoulli as Bernoulli
from lightning_vi.likelihoods.categorical import Categorical as Categorical
from lightning_vi.likelihoods.gaussian import Gaussian as Gaussian
from lightning_vi.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian as HeteroscedasticGaussian
from lightning_vi.likelihoods.likelihood import Likelihood as Likelihood
from lightning_vi.likelihoods.standardised import Standardised as Standardised
