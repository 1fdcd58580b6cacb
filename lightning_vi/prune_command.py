"""The command `prune`: a checkpoint's scores against the fraction of its weights removed, and one with some removed."""

from collections.abc import Mapping, Sequence

from lightning_vi import checkpoints, pruning
from lightning_vi.bayesian import BayesianModule
from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.errors import UserError
from lightning_vi.metrics import scores_for
from lightning_vi.modules import BayesByBackprop
from lightning_vi.plots import signal_to_noise
from lightning_vi.pruning_curve import pruning_curve
from lightning_vi.pruning_report import PruningReport, save_checkpoint
from lightning_vi.session import Session


def prune(
    session: Session,
    ckpt_path: str | None,
    fractions: Sequence[float],
    remove: float,
    draws: int | None,
    published: Mapping[float, float],
) -> None:
    """Show a checkpoint's scores against the fraction of its weights removed, and write one with some removed.

    Args:
        session: the trainer, the model and the data.
        ckpt_path: the checkpoint, see `checkpoints.find`.
        fractions: of the random weights, in [0, 1). What the checkpoint has removed stays so, and counts.
        remove: the same for the checkpoint that is written, from which training can go on; above 0.
        draws: weight draws of the predictive distribution; None for the model's.
        published: figures of others by fraction, which is evaluated too.

    Raises:
        UserError: if there is no such checkpoint, if the model has no random weights, or for a number out of range.
    """
    trainer, model, datamodule = session.trainer, session.model, session.datamodule
    if not isinstance(model, BayesByBackprop):
        name = type(model).__name__
        raise UserError(f"prune needs |mu|/sigma of random weights, as BayesByBackprop has them; {name} has none.")
    draws = model.draws if draws is None else draws
    if draws < 1:
        raise UserError(f"--draws (={draws}) must be at least 1.")
    with session.evaluating(ckpt_path, "prune") as path:
        checkpoint = checkpoints.read(path)
        model.load_state_dict(checkpoint["state_dict"])
        net = model.model
        if not (fractions or published):
            raise UserError("--fractions (=[]) must hold at least one number.")
        counts = sorted({pruning.removal(net, fraction) for fraction in (*fractions, *published)})
        cutoff = _cutoff(net, remove)
        curve = pruning_curve(trainer, model, datamodule, counts, draws)
        if not trainer.is_global_zero:
            return
        report = PruningReport(
            f"{type(model).__name__} on {type(datamodule).__name__}, {draws} draws: {path}",
            net.mu.numel(),
            curve,
            scores_for(model.likelihood, model.target_size).headline,
            {round(fraction * net.mu.numel()): score for fraction, score in published.items()},
        )
        report.show()
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            folder, share = run_folder(trainer), cutoff / net.mu.numel()
            report.write(folder)
            log_image(trainer, "pruning", report.figure())
            log_image(trainer, "signal_to_noise", signal_to_noise(net.signal_to_noise().detach().cpu(), share))
            net.kept = pruning.kept_weights(net, cutoff)
            save_checkpoint(folder / "checkpoints" / "pruned.ckpt", checkpoint, model)
            print(f"  with {100 * share:.4g} % removed: {folder / 'checkpoints' / 'pruned.ckpt'}")


def _cutoff(net: BayesianModule, remove: float) -> int:
    """How many weights the checkpoint that is written has removed."""
    count = pruning.removal(net, remove)
    if remove == 0 or count == 0:
        total = net.mu.numel()
        raise UserError(f"--remove (={remove}) must lie in (0, 1), and remove at least one of {total:,} weights.")
    return count
