"""Boils a message of jsonargparse down to the one line that the user needs.

Its messages are trees drawn with indentation. A value that fits no subtype of a union reports the failure of each
subtype, and a class reports its argument's failure within its own:

    Parser key "model":
      Does not validate against any of the Union subtypes
      Errors:
        - Problem with given class_path 'lightning_vi.modules.BayesByBackprop':
            Parser key "draws":
              Expected a <class 'int'>. Got value: many
        - Expected a <class 'NoneType'>
      Given value: {...}

The user's mistake is the deepest failure: the other branches only say that the value is not something else. It is
told with the names on the way to it, here `model.draws`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import isclass

from jsonargparse import ArgumentParser

from lightning_vi import short_names
from lightning_vi.nearest import did_you_mean, nearest

LIMIT = 300
"""Characters of a foreign message, or of a value in it, that are shown."""

_MARKERS = re.compile(r"(?:\s|- )*")
_CALLABLE = re.compile(r"^Type .*? expects a function or a callable class: ")
_KEY = re.compile(r'^Parser key "(.+?)"(?: element \d+)?:')
_CLASS = re.compile(r"^Problem with given class_path '(.+?)':")
_FILE = re.compile(r"^In (.+):$")
_INNER_CLASS = re.compile(r"Got value: Namespace\(class_path='(.+?)'")
_NESTED_VALUE = re.compile(r"^NestedArg\(key='.*?', val='?(.*?)'?\)$")
_NOISE = re.compile(
    r"Parser key|Problem with given|In .+:$|Does not validate|Subtypes:|Errors:|Given value|Expected a path but|$"
)

_OPTION = re.compile(r"^(?:(?:Subcommand|Group) '.+?' does not accept option|Option) '(.+?)'")
_REQUIRED = re.compile(r"^the following arguments are required: (.+?)(?:\. Got value|$)")
_NAME = re.compile(r"^Expected a dot import path string: (.+?)(?:\. Got value|$)")
_IMPORT = re.compile(r"^(?:No module named|module) '(.+?)'(?: has no attribute '(.+?)')?")
_BASE = re.compile(r"^Import path(?: (?P<path>\S+))? does not correspond to a subclass of (?P<base>\w+)")
_TYPE = re.compile(r"^Expected an? (?P<type>.+?)(?:\. Got value: (?P<value>.*?))?(?:\. Got value: Namespace.*)?$")
_NOT_CLASS = re.compile(r"^Not a valid subclass of (?P<type>\w+)")
_YAML = re.compile(r"^Problems parsing config: (.+)$")
_PATTERNS = (_OPTION, _REQUIRED, _NAME, _IMPORT, _BASE, _YAML, _TYPE, _NOT_CLASS)


@dataclass(frozen=True)
class Line:
    """One line of a message: how far it is indented, and its text without bullets."""

    indent: int
    text: str


@dataclass(frozen=True)
class Failure:
    """A line that says what is wrong, and the lines that it is nested in, the outermost first."""

    line: Line
    parents: tuple[Line, ...]
    kind: re.Pattern[str]

    def found(self, pattern: re.Pattern[str]) -> list[str]:
        """What a pattern captures in the lines around this one, the outermost first."""
        return [match[1] for parent in self.parents if (match := pattern.match(parent.text))]

    @property
    def depth(self) -> int:
        """How many keys and classes the failure is nested in."""
        return len(self.found(_KEY)) + len(self.found(_CLASS))

    @property
    def where(self) -> str:
        """The option, e.g. `model.net.hidden`."""
        return ".".join(self.found(_KEY))

    @property
    def inside(self) -> str | None:
        """Import path of the class whose argument is wrong, if it is a class's."""
        if inner := _INNER_CLASS.search(self.line.text):
            return inner[1]
        classes = self.found(_CLASS)
        return classes[-1] if classes else None


def explain(message: str, parser: ArgumentParser) -> str:
    """The line that says what is wrong: the option, its value, what was expected, the nearest valid name.

    Args:
        message: what jsonargparse says.
        parser: the parser of the command that it says it of, for valid names.
    """
    lines = list(_lines(message))
    failures = list(_failures(lines))
    if not failures:
        return _plain(lines, parser)
    # Of equally deep failures a misspelt or missing name tells more than a type that does not fit.
    failure = max(failures, key=lambda failure: (failure.depth, -_PATTERNS.index(failure.kind)))
    files = failure.found(_FILE)
    told = _tell(failure, failures, lines, parser)
    return f"{files[0]}: {told}" if files else told


def shorten(text: str, limit: int = LIMIT) -> str:
    """The first line that says something, cut at the limit."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def _lines(message: str) -> Iterator[Line]:
    for line in message.splitlines():
        markers = _MARKERS.match(line)
        assert markers is not None
        # What a class that makes something says of its arguments stands behind its type, on the same line.
        yield Line(markers.end(), _CALLABLE.sub("", line[markers.end() :]))


def _failures(lines: list[Line]) -> Iterator[Failure]:
    for number, line in enumerate(lines):
        text = _KEY.sub("", line.text).strip()  # 'Parser key "config": File does not exist' stands on one line
        for pattern in _PATTERNS:
            if text and not _NOISE.match(text) and pattern.match(text):
                parents, indent = [line] if text != line.text else [], line.indent
                for before in reversed(lines[:number]):
                    if before.indent < indent and before.text:
                        parents.insert(0, before)
                        indent = before.indent
                yield Failure(Line(line.indent, text), tuple(parents), pattern)
                break


def _tell(failure: Failure, failures: list[Failure], lines: list[Line], parser: ArgumentParser) -> str:
    match = failure.kind.match(failure.line.text)
    assert match is not None
    where = failure.where
    option = f"{where}: " if where else ""
    owner = failure.inside
    if failure.kind is _OPTION:
        name = match[1]
        if owner is None:
            return f"there is no option '{name}'.{_nearest_option(name, _options(parser))}"
        options = _options(_parser_of(owner))
        hint = did_you_mean(name, options) or f" Its options: {', '.join(options) or 'none'}."
        return f"{option}{_leaf(owner)} has no option '{name}'.{hint}"
    if failure.kind is _REQUIRED:
        if owner is None:
            names = sorted(name.partition(".")[2] or name for name in match[1].split(", "))
            return f"{' and '.join(names)} must be given. Name a configuration, e.g. --config bbb_digits.yaml."
        return f"{option}{_leaf(owner)} needs {match[1]}, which has no default."
    if failure.kind is _NAME:
        paths = _classes_for(failure, parser)
        return f"{option}there is no class '{match[1]}'.{did_you_mean(match[1], map(_leaf, paths))}"
    if failure.kind is _IMPORT:
        what = f"no '{match[2]}' in '{match[1]}'" if match[2] else f"no module '{match[1]}'"
        paths = _classes_for(failure, parser)
        hint = did_you_mean(match[2] or match[1], map(_leaf, paths))
        return f"{option}{what} to import.{hint}"
    if failure.kind is _BASE:
        value = match["path"] or _given(failure, lines)
        return f"{option}'{value}' is not a {match['base']}."
    if failure.kind is _YAML:
        return _tell_yaml(match[1], lines)
    alike = [other for other in failures if other.where == where and other.depth == failure.depth]
    types = dict.fromkeys(name for other in alike if (name := _type_name(other)))
    value = match["value"] if failure.kind is _TYPE else None
    value = _given(failure, lines) if value is None else value
    choices = re.findall(r"'([^']+)'", " ".join(types))
    return f"{option}expected {' or '.join(types)}, got '{shorten(value, 80)}'.{did_you_mean(value, choices)}"


def _tell_yaml(problem: str, lines: list[Line]) -> str:
    places = [found for line in lines if (found := re.search(r"line (\d+), column (\d+)", line.text))]
    # PyYAML says first where it was, then what it found there.
    problems = [problem, *(line.text for line in lines if "expected" in line.text or "found" in line.text)]
    place = f"line {places[-1][1]}, column {places[-1][2]}: " if places else ""
    return f"{place}not valid YAML: {problems[-1]}."


def _type_name(failure: Failure) -> str | None:
    match = failure.kind.match(failure.line.text)
    assert match is not None
    if failure.kind not in (_TYPE, _NOT_CLASS):
        return None
    name = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", match["type"])
    literal = re.fullmatch(r"typing\.Literal\[(.+)\]", name)
    return literal[1] if literal else {"NoneType": "null"}.get(name, name)


def _given(failure: Failure, lines: list[Line]) -> str:
    """The value that a union reports behind its subtypes' failures."""
    start = lines.index(next(line for line in lines if line.indent == failure.line.indent))
    for line in lines[start:]:
        if line.indent < failure.line.indent and line.text.startswith("Given value: "):
            value = line.text.removeprefix("Given value: ")
            nested = _NESTED_VALUE.match(value)
            return nested[1] if nested else value
    return ""


def _plain(lines: list[Line], parser: ArgumentParser) -> str:
    """A message without a known pattern: its first line that says something."""
    message = next((line.text for line in lines if not _NOISE.match(_KEY.sub("", line.text).strip())), "")
    if unrecognized := re.match(r"unrecognized arguments: (\S+)", message):
        name = unrecognized[1].partition("=")[0]
        if not name.startswith("-"):
            hint = f" Did you mean --config {name}?" if name.endswith(".yaml") else ""
            return f"there is no argument '{name}'.{hint}"
        return f"there is no option '{name}'.{_nearest_option(name.lstrip('-'), _options(parser), '--')}"
    return shorten(message)


def _nearest_option(name: str, options: list[str], prefix: str = "") -> str:
    """A hint for the first part of a dotted name that no option has."""
    known = {".".join(option.split(".")[:depth]) for option in options for depth in range(1, 4)}
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        if ".".join(parts[:depth]) not in known:
            here = [other for other in known if other.count(".") == depth - 1]
            match = nearest(".".join(parts[:depth]), here)
            return "" if match is None else f" Did you mean '{prefix}{match}'?"
    return ""


def _leaf(path: str) -> str:
    return path.rpartition(".")[2]


def _options(parser: ArgumentParser) -> list[str]:
    return [action.dest for action in parser._actions if not action.dest.endswith("help")]


def _parser_of(path: str) -> ArgumentParser:
    """A parser of a class's arguments."""
    parser = ArgumentParser(exit_on_error=False)
    owner = _imported(path)
    if isclass(owner):
        parser.add_class_arguments(owner, fail_untyped=False)
    return parser


def _imported(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name, None) if module else None


def _classes_for(failure: Failure, parser: ArgumentParser) -> list[str]:
    """Import paths of the classes that the failing option takes."""
    keys = failure.found(_KEY)
    owner, key = failure.inside, keys[-1] if keys else ""
    owner_parser = parser if owner is None else _parser_of(owner)
    types = [getattr(action, "_typehint", None) for action in owner_parser._actions if action.dest == key]
    return [path for expected in types if expected is not None for path in short_names.class_paths(expected)]
