import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_vi.bayesian import BayesianModule
from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.plots import signal_to_noise


class SignalToNoise(Callback):
    """Draws the distribution of |mu|/sigma over all Bayesian weights, as `signal_to_noise`.

    It is drawn after training, and again after a test, which may have loaded another checkpoint.
    """

    def __init__(self) -> None:
        self._notices = Notices()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        self._draw(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        bayesian = [module for module in pl_module.modules() if isinstance(module, BayesianModule)]
        if not bayesian:
            self._notices.say(f"SignalToNoise draws nothing: {type(pl_module).__name__} has no Bayesian weights.")
            return
        with torch.no_grad():
            ratios = torch.cat([module.signal_to_noise() for module in bayesian])
        log_image(trainer, "signal_to_noise", signal_to_noise(ratios.cpu().numpy()))
