"""The schema of `lightning-vi schema`: what editors are told is what the command reads."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from lightning_vi import named_configs
from tests.printing import printed

TABLES = {name for name in named_configs.packaged() if name.startswith("table1") and "/" not in name}
CONFIGS = sorted({*named_configs.packaged()} - TABLES)


@pytest.fixture(scope="module")
def of_fit() -> Draft202012Validator:
    schema = json.loads(printed("schema"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module")
def of_table() -> Draft202012Validator:
    schema = json.loads(printed("schema", "table"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def packaged(name: str) -> Any:
    return yaml.safe_load(named_configs.packaged()[name].read_text())


def places(validator: Draft202012Validator, content: Any) -> list[str]:
    """Where an editor underlines something."""
    return [error.json_path.removeprefix("$.") for error in validator.iter_errors(content)]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_shipped_configuration_is_valid(name: str, of_fit: Draft202012Validator) -> None:
    assert places(of_fit, packaged(name)) == []


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_shipped_table_is_valid(name: str, of_table: Draft202012Validator) -> None:
    assert places(of_table, packaged(name)) == []


@pytest.mark.parametrize("name", ["bbb_digits.yaml", "vae_digits.yaml", "gan_digits.yaml", "ensemble_digits.yaml"])
def test_a_printed_configuration_is_valid(name: str, of_fit: Draft202012Validator) -> None:
    assert places(of_fit, yaml.safe_load(printed("fit", f"--config={name}", "--print_config"))) == []


VALID = {
    "a part of another file's": "data: {init_args: {batch_size: 32}}",
    "a class of one's own": "model: {class_path: my_package.MyModule, init_args: {anything: 3}}",
    "a network of one's own": """
model:
  class_path: BayesByBackprop
  init_args: {net: {class_path: mine.Net, init_args: {a: 1}}}
""",
    "a class by its name": "model: BayesByBackprop",
    "a class by its path": "data: {class_path: lightning_vi.datamodules.Digits}",
    "a list that is added to": "trainer: {callbacks+: [SignalToNoise]}",
    "null": "model: {class_path: BayesByBackprop, init_args: {lr_scheduler: null}}",
    "a whole number for a float": """
model:
  class_path: BayesByBackprop
  init_args: {prior: {class_path: Gaussian, init_args: {sigma: 1}}}
""",
}

MISTAKES = {
    "an option": ("modle: 3", ""),
    "an option of the trainer": ("trainer: {max_epoch: 3}", "trainer"),
    "a type": ("trainer: {max_epochs: many}", "trainer.max_epochs"),
    "a list for a number": ("trainer: {max_epochs: [3]}", "trainer.max_epochs"),
    "an option of the model": ("model: {class_path: BayesByBackprop, init_args: {drws: 3}}", "model"),
    "a type in the model": ("model: {class_path: BayesByBackprop, init_args: {draws: many}}", "model"),
    "a class": ("model: BayesByBackpropp", "model"),
    "a class with arguments": ("model: {class_path: BayesByBackpropp, init_args: {draws: 3}}", "model"),
    "a class of another kind": ("model: {class_path: Digits}", "model"),
    "a prior": ("model: {class_path: BayesByBackprop, init_args: {prior: Gausian}}", "model"),
    "an option of a prior": (
        "model: {class_path: BayesByBackprop, init_args: {prior: {class_path: Gaussian, init_args: {sgma: 1.0}}}}",
        "model",
    ),
    "an optimizer": ("model: {class_path: BayesByBackprop, init_args: {optimizer: Adamm}}", "model"),
    "an option of an optimizer": (
        "model: {class_path: BayesByBackprop, init_args: {optimizer: {class_path: Adam, init_args: {lrr: 0.1}}}}",
        "model",
    ),
    "a callback": ("trainer: {callbacks+: [SignalToNoize]}", "trainer['callbacks+']"),
    "init_arg": ("model: {class_path: BayesByBackprop, init_arg: {draws: 3}}", "model"),
    "a choice": ("test_checkpoint: first", "test_checkpoint"),
}


@pytest.mark.parametrize("case", VALID)
def test_what_the_command_reads_is_valid(case: str, of_fit: Draft202012Validator) -> None:
    assert places(of_fit, yaml.safe_load(VALID[case])) == []


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_found(case: str, of_fit: Draft202012Validator) -> None:
    text, place = MISTAKES[case]
    assert [found.partition("[0]")[0] for found in places(of_fit, yaml.safe_load(text))] == [place or "$"]


def test_a_mistake_in_a_table_is_found(of_table: Draft202012Validator) -> None:
    table = packaged("table1.yaml")
    assert places(of_table, {**table, "metrc": "error"}) != []
    assert places(of_table, {**table, "rows": 3}) == ["rows"]


def test_short_names_mean_what_the_command_makes_of_them(of_fit: Draft202012Validator) -> None:
    """Two networks are called `MLP`, ours and torchvision's: the name stands beside the path that it means alone."""
    paths = [path for path, names in class_paths(of_fit.schema) if "MLP" in names]
    assert set(paths) == {"lightning_vi.networks.MLP"}


def class_paths(schema: Any) -> list[tuple[str, list[str]]]:
    """Each import path in a schema with the names beside it."""
    if isinstance(schema, list):
        return [found for each in schema for found in class_paths(each)]
    if not isinstance(schema, dict):
        return []
    names = schema.get("properties", {}).get("class_path", {}).get("enum")
    here = [(names[0], names)] if names else []
    return here + [found for each in schema.values() for found in class_paths(each)]
