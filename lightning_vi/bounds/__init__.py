from lightning_vi.bounds.bound import Bound as Bound
from lightning_vi.bounds.elbo import ELBO as ELBO
from lightning_vi.bounds.iwae import IWAE as IWAE
from lightning_vi.bounds.iwae import DReG as DReG
