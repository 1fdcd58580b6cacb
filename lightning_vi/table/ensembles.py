"""Consecutive seeds of a row as one run: a `DeepEnsemble` whose members are the runs of the seeds, up to rounding."""

from collections.abc import Mapping
from typing import Any

_MEAN_FIELD = ("prior", "posterior", "weighting", "draws", "val_draws")
_ALONE = ("compile", "estimator", "bayesian", "dropout_draws", "val_dropout_draws", "temperature")
_CHECK = "lightning_vi.table.comparable.Comparable"


def obstacle(settings: Mapping[str, Any]) -> str | None:
    """Why the settings of a single model are known not to go with an ensemble; what else there is, its run finds out.

    Args:
        settings: By the names that the options have on the command line.
    """
    model = _model(settings)
    if model not in ("PointEstimate", "BayesByBackprop"):
        return f"model (={model}) must be PointEstimate or BayesByBackprop."
    for name in _ALONE:
        given = [each for each in settings if f"{each}.".startswith(f"model.{name}.")]
        if given:
            return f"{given[0]} (={settings[given[0]]}) is an option of a single model only."
    if settings.get("data.seed") is not None:
        return f"data.seed (={settings['data.seed']}) gives all seeds the same order of examples; leave it out."
    return None


def settings(single: Mapping[str, Any], members: int) -> dict[str, Any]:
    """The settings of a `DeepEnsemble` from those of one of its members.

    Args:
        single: By the names that the options have on the command line, without :func:`obstacle`.
        members: Number of members.
    """
    made: dict[str, Any] = {"model": "DeepEnsemble", "model.members": members, "model.own_orders": True}
    if _model(single) == "BayesByBackprop":
        made |= {"model.mean_field": "MeanField", "model.optimizer": "Adam"}  # its default
    for name, value in single.items():
        if name != "model":
            part, _, rest = name.partition(".")
            of_posterior = part == "model" and rest.partition(".")[0] in _MEAN_FIELD
            made[f"model.mean_field.{rest}" if of_posterior else name] = value
    made["trainer.callbacks+"] = [*made.get("trainer.callbacks+", []), _CHECK]
    return made


def member(content: Mapping[str, Any], number: int, members: int) -> dict[str, Any]:
    """What is left of a member as a run of its own.

    Args:
        content: `results.json` of the ensemble. Its training curves are means over the members, and nobody's own.
        number: Which member.
        members: Number of members.
    """
    suffix = f"/{number}"
    own = {
        what: {name.removesuffix(suffix): each for name, each in content[what].items() if name.endswith(suffix)}
        for what in ("scores", "curves")
    }
    return {
        **content,
        **own,
        "weights": content["weights"] // members,
        "seconds": content["seconds"] / members,
    }


def _model(settings: Mapping[str, Any]) -> str:
    return str(settings.get("model")).rpartition(".")[2]
