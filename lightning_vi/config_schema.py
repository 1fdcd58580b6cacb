"""A JSON schema of configurations, by which editors complete and check them.

jsonargparse derives one from its types. Here it also knows what our configurations may say: short names of classes,
classes of the user's own, `callbacks+` beside `callbacks`, and files that override no more than a part of others. What
several options decide together, and the bounds of numbers, only the command itself checks.
"""

from collections.abc import Iterable
from typing import Any, get_args

from jsonargparse import ArgumentParser
from jsonargparse._completions_jsonschema import ParserJsonschema

from lightning_vi import short_names

Schema = dict[str, Any]

DOTTED = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
"""Import path of a class."""


def schema(parser: ArgumentParser) -> Schema:
    """The schema of the files that a parser reads, Draft 2020-12."""
    found: Schema = _Generator().generate(parser)  # type: ignore[no-untyped-call]
    return found


class _Generator(ParserJsonschema):
    """See `jsonargparse.ArgumentParser.get_completion_script`."""

    def set_dest(
        self, schema: Schema, dest: str, dest_schema: Schema, required: bool, descriptions: dict[str, str]
    ) -> None:
        """Add an option, and if it is a list the key that appends to it. What is required may stand in another file."""
        super().set_dest(schema, dest, dest_schema, False, descriptions)
        if _may_be_list(dest_schema):
            more = {name: value for name, value in dest_schema.items() if name != "default"}
            super().set_dest(schema, f"{dest}+", more, False, descriptions)

    def callable_schema(self, typehint: Any, action: Any) -> Schema:
        """What makes objects of a class, or of one of several, is a class: functions may not be named."""
        for made in get_args(typehint)[-1:]:
            found: Schema = self.typehint_schema(made, action)
            if all("$ref" in each for each in found.get("anyOf", [found])):
                return found
        text: Schema = super().callable_schema(typehint, action)
        return text

    def subclass_def(self, class_type: type, action: Any) -> Schema:
        """A class by its name alone or with arguments, or arguments alone for the class that another file names.

        Arguments of the user's own classes, and of packages that have merely been imported, are not described.
        """
        if issubclass(class_type, type):  # of metaclasses jsonargparse cannot ask for derived ones
            return {"type": "string"}
        names = _names(short_names.class_paths(class_type))
        described = {path: found for path, found in names.items() if path.startswith(short_names.PRECEDENCE)}
        known = [name for found in described.values() for name in found]
        others = [name for path, found in names.items() if path not in described for name in found]
        other = {"anyOf": [{"enum": others}, {"type": "string", "pattern": DOTTED, "not": {"enum": known}}]}
        arguments = {"class_path": other, "init_args": {"type": "object"}, "dict_kwargs": {"type": "object"}}
        schemas: list[Schema] = [{"enum": known}, other]
        for path, found in described.items():
            of_class: Schema = self.class_path_schema(path, action)
            of_class["properties"]["class_path"] = {"enum": found}
            del of_class["required"]
            schemas.append(of_class)
        schemas.append(
            {"type": "object", "properties": arguments, "required": ["class_path"], "additionalProperties": False}
        )
        return {"anyOf": schemas}


def _names(paths: Iterable[str]) -> dict[str, list[str]]:
    """What each class may be called: its import path, and its short name if that means it."""
    alike: dict[str, list[str]] = {}
    for path in paths:
        alike.setdefault(path.rpartition(".")[2], []).append(path)
    names = {path: [path] for found in alike.values() for path in found}
    for name, found in alike.items():
        meant = found[0] if len(found) == 1 else short_names.preferred(found)
        if meant is not None:
            names[meant].append(name)
    return names


def _may_be_list(schema: Schema) -> bool:
    kinds = schema.get("type", [])
    return "array" in ([kinds] if isinstance(kinds, str) else kinds) or any(
        _may_be_list(each) for each in schema.get("anyOf", [])
    )
