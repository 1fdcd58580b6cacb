"""The table of results at the end of a command."""

from collections.abc import Mapping

from lightning_vi import text_table
from lightning_vi.text_table import Column

LABELS = {
    "error": ("error", "{:.2f} %"),
    "error_mean": ("error, posterior mean", "{:.2f} %"),
    "error_members": ("error, single members", "{:.2f} %"),
    "nll": ("NLL per example", "{:.4f} nats"),
    "nll_se": ("NLL per example, standard error", "{:.4f} nats"),
    "importance_samples": ("importance samples of the NLL", "{:,.0f}"),
    "bits_per_dim": ("bits per dimension", "{:.4f}"),
    "bits_per_dim_median": ("bits per dimension, median", "{:.4f}"),
    "ece": ("ECE", "{:.4f}"),
    "ece_adaptive": ("ECE, adaptive bins", "{:.4f}"),
    "brier": ("Brier score", "{:.4f}"),
    "aurc": ("AURC", "{:.5f}"),
    "entropy": ("mean entropy", "{:.4f} nats"),
    "mutual_information": ("mean mutual information", "{:.4f} nats"),
    "rmse": ("RMSE", "{:.4g}"),
    "rmse_mean": ("RMSE, posterior mean", "{:.4g}"),
    "rmse_members": ("RMSE, single members", "{:.4g}"),
    "epistemic_sd": ("mean epistemic sd", "{:.4g}"),
    "aleatoric_sd": ("mean aleatoric sd", "{:.4g}"),
    "crps": ("CRPS", "{:.4g}"),
    "coverage_50": ("coverage of the 50 % interval", "{:.1f} %"),
    "coverage_90": ("coverage of the 90 % interval", "{:.1f} %"),
    "coverage_95": ("coverage of the 95 % interval", "{:.1f} %"),
    "ood_auroc_entropy": ("OOD AUROC, entropy", "{:.4f}"),
    "ood_aupr_entropy": ("OOD AUPR, entropy", "{:.4f}"),
    "ood_fpr95_entropy": ("OOD FPR95, entropy", "{:.4f}"),
    "ood_auroc_mutual_information": ("OOD AUROC, mutual information", "{:.4f}"),
    "ood_aupr_mutual_information": ("OOD AUPR, mutual information", "{:.4f}"),
    "ood_fpr95_mutual_information": ("OOD FPR95, mutual information", "{:.4f}"),
    "ood_auroc_max_probability": ("OOD AUROC, max probability", "{:.4f}"),
    "ood_aupr_max_probability": ("OOD AUPR, max probability", "{:.4f}"),
    "ood_fpr95_max_probability": ("OOD FPR95, max probability", "{:.4f}"),
    "mse": ("MSE per pixel", "{:.5f}"),
    "mse_pca": ("MSE per pixel, PCA", "{:.5f}"),
    "mse_corrupted": ("MSE per pixel, corrupted input", "{:.5f}"),
    "elbo": ("ELBO per example", "{:.4f} nats"),
    "tempered_not_elbo": ("tempered objective per example, not the ELBO", "{:.4f} nats"),
    "reconstruction": ("reconstruction error per example", "{:.4f} nats"),
    "kl": ("KL per example", "{:.4f} nats"),
    "ks": ("Kolmogorov-Smirnov distance", "{:.4f}"),
    "parzen": ("Parzen log-likelihood", "{:.1f} nats"),
    "parzen_se": ("Parzen log-likelihood, standard error", "{:.1f} nats"),
    "parzen_sigma": ("Parzen window's sigma", "{:.3f}"),
    "fid": ("FID", "{:.2f}"),
    "fid_floor": ("FID of training images", "{:.2f}"),
    "kid": ("KID", "{:.3f}"),
    "kid_sd": ("KID, standard deviation", "{:.3f}"),
    "inception_score": ("inception score", "{:.2f}"),
    "inception_score_sd": ("inception score, standard deviation", "{:.2f}"),
    "classes": ("classes covered", "{:.0f}"),
    "class_kl": ("KL of the classes from uniform", "{:.4f} nats"),
    "density": ("density", "{:.3f}"),
    "coverage": ("coverage", "{:.3f}"),
    "expected_coverage": ("coverage of real images", "{:.3f}"),
    "nearest_training": ("distance to the nearest training image", "{:.2f}"),
    "nearest_training_test": ("distance of test images", "{:.2f}"),
    "real": ("D(x)", "{:.3f}"),
    "fake": ("D(G(z))", "{:.3f}"),
    "active_units": ("active latent variables", "{:.0f}"),
    "active_units_2": ("active latent variables, layer 2", "{:.0f}"),
}
"""What a score is called in the table, and how it is written; another's name is shown as it is logged."""


def score_rows(scores: Mapping[str, float]) -> dict[str, str]:
    """Rows for scores such as `test/error`: one split after another, each in the order of :data:`LABELS`."""
    order = list(LABELS)
    splits = list(dict.fromkeys(_split(name) for name in scores))
    names = sorted(
        scores,
        key=lambda name: (
            splits.index(_split(name)),
            order.index(_score(name)) if _score(name) in LABELS else len(order),
        ),
    )
    rows = {}
    for name in names:
        split, score = _split(name), _score(name)
        label, form = LABELS.get(score, (score, "{:.4g}"))
        if f"{name}_mean" in scores:
            label = f"{label}, draws averaged"
        rows[f"{split} {label}".strip()] = form.format(scores[name])
    return rows


def _split(name: str) -> str:
    return name.rpartition("/")[0]


def _score(name: str) -> str:
    return name.rpartition("/")[2]


def duration(seconds: float) -> str:
    """A time in words, e.g. `2 min 5 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min", f"{rest} s"]
    return " ".join(filter(None, parts))


def show(title: str, rows: Mapping[str, str]) -> None:
    """Print labels and their values as a table without headings."""
    text_table.show(title, [Column("", list(rows), is_number=False), Column("", list(rows.values()), is_number=False)])
