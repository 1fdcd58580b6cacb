from lightning_vi.adversarial.cross_entropy import Minimax as Minimax
from lightning_vi.adversarial.cross_entropy import NonSaturating as NonSaturating
from lightning_vi.adversarial.least_squares import LeastSquares as LeastSquares
from lightning_vi.adversarial.loss import AdversarialLoss as AdversarialLoss
from lightning_vi.adversarial.penalties import R1 as R1
from lightning_vi.adversarial.penalties import GradientPenalty as GradientPenalty
from lightning_vi.adversarial.penalties import Penalty as Penalty
from lightning_vi.adversarial.wasserstein import Wasserstein as Wasserstein
