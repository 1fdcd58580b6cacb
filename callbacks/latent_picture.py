from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.errors import require_at_least
from lightning_vi.evaluating import evaluating
from lightning_vi.latent_space import NothingToDraw


class LatentPicture(Callback, ABC):
    """Draws a picture of a module's latent space after a test, from its state in evaluation mode.

    Where the module or the data have no such picture, it says so once.

    Attributes:
        name: Of the picture's file, without `.png`.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._notices = Notices()

    @abstractmethod
    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """The picture.

        Raises:
            NothingToDraw: If there is none.
        """

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, on rank zero."""
        self.draw(trainer, pl_module)

    def draw(self, trainer: Trainer, module: LightningModule) -> None:
        """Draw, on rank zero; or say why not."""
        if not trainer.is_global_zero:
            return
        try:
            with evaluating(module), torch.no_grad():
                figure = self.figure(trainer, module)
        except NothingToDraw as reason:
            self._notices.say(f"{type(self).__name__} draws nothing: {reason}.")
        else:
            log_image(trainer, self.name, figure)

    def _require_at_least(self, least: int, **numbers: int) -> None:
        require_at_least(type(self).__name__, least, **numbers)
