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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import isclass

from jsonargparse import ArgumentParser

from lightning_vi import short_names
from lightning_vi.nearest import did_you_mean, nearest

LIMIT = 300
"""Characters of a foreign message, or of a value in it, that are shown."""

FEW = 12
"""Names that are listed where none is near."""

_MARKERS = re.compile(r"(?:\s|- )*")
_CALLABLE = re.compile(r"^Type .*? expects a function or a callable class: ")
_KEY = re.compile(r'^Parser key "(.+?)"(?: element \d+)?:')
_CLASS = re.compile(r"^Problem with given class_path '(.+?)':")
_FILE = re.compile(r"^In (.+):$")
_INNER_CLASS = re.compile(r"(?:Got|Given) value: (?:Namespace\(class_path=|\{'class_path': )'(.+?)'")
_NOT_MAPPING = re.compile(r"^'\w+' object has no attribute 'keys'")
_NESTED_VALUE = re.compile(r"^NestedArg\(key='.*?', val='?(.*?)'?\)$")
_NOISE = re.compile(
    r"Parser key|Problem with given|In .+:$|Does not validate|Subtypes:|Errors:|Given value|Expected a path but|$"
)

_OPTION = re.compile(r"^(?:(?:Subcommand|Group) '.+?' does not accept option|Option) '(.+?)'")
_REQUIRED = re.compile(r"^the following arguments are required: (.+?)(?:\. Got value|$)")
_NAME = re.compile(r"^(?:--\S+: )?Expected a dot import path string: (.+?)(?:\. Got value|$)")
_IMPORT = re.compile(r"^(?:No module named|module) '(.+?)'(?: has no attribute '(.+?)')?")
_BASE = re.compile(r"^Import path(?: (?P<path>\S+))? does not correspond to a subclass of (?P<base>\w+)")
_TYPE = re.compile(r"^Expected an? (?P<type>.+?)(?:\. Got value: (?P<value>.*?))?(?:\. Got value: Namespace.*)?$")
_NOT_CLASS = re.compile(r"^Not a valid subclass of (?P<type>\w+)")
_DENIED = re.compile(r"^Importing '(.+?)' is not allowed")
_YAML = re.compile(r"^Problems parsing config: (.+)$")
_OTHER = re.compile(r"^(.+?)(?:\. Got value: .*)?$")
_PLAIN_TYPES = {"NoneType": "null", "dict": "a mapping"} | dict.fromkeys(
    ("Iterable", "Sequence", "list", "tuple"), "a list"
)
_PATTERNS = (_DENIED, _OPTION, _REQUIRED, _NAME, _IMPORT, _BASE, _YAML, _TYPE, _NOT_CLASS, _OTHER)


@dataclass(frozen=True)
class Line:
    """One line of a message: how far it is indented, and its text without bullets."""

    indent: int
    text: str


@dataclass(frozen=True)
class Failure:
    """A line that says what is wrong.

    Attributes:
        line: the line.
        before: the lines that it is nested in, the outermost first.
        after: the lines that close the unions that it is nested in, the innermost first.
        kind: the pattern that it matches.
    """

    line: Line
    before: tuple[Line, ...]
    after: tuple[Line, ...]
    kind: re.Pattern[str]

    def found(self, pattern: re.Pattern[str]) -> list[str]:
        """What a pattern captures in the lines around this one, the outermost first."""
        return [match[1] for line in self.before if (match := pattern.match(line.text))]

    @property
    def depth(self) -> int:
        """How many keys and classes the failure is nested in."""
        return len(self.found(_KEY)) + len(self.found(_CLASS))

    @property
    def where(self) -> str:
        """The option, e.g. `model.net.hidden`."""
        return ".".join(self.found(_KEY))

    @property
    def value(self) -> str:
        """The value that the innermost union has rejected."""
        for line in self.after:
            if line.text.startswith("Given value: "):
                value = line.text.removeprefix("Given value: ").split(". Got value: ")[0]
                nested = _NESTED_VALUE.match(value)
                return nested[1] if nested else value
        return ""

    @property
    def of_class(self) -> str | None:
        """Import path of the class that has rejected its arguments, if one has."""
        keys = [index for index, line in enumerate(self.before) if _KEY.match(line.text)]
        start = keys[-1] if keys else 0
        around = [match[1] for line in self.before[start:] if (match := _CLASS.match(line.text))]
        # What is to be made later, such as an optimizer, is named behind the failure, with its arguments.
        level = self.before[start].indent if self.before else -1
        behind = (self.line, *(line for line in self.after if line.indent > level))
        around += [match[1] for line in behind if (match := _INNER_CLASS.search(line.text))]
        return around[0] if around else None

    @property
    def key_of_class(self) -> str | None:
        """Import path of the class that the innermost key is an argument of; None for the command itself."""
        keys = [index for index, line in enumerate(self.before) if _KEY.match(line.text)]
        around = [match[1] for line in self.before[: keys[-1]] if (match := _CLASS.match(line.text))] if keys else []
        inner = _INNER_CLASS.search(self.line.text)
        return inner[1] if inner else around[-1] if around else None


def explain(message: str, parser: ArgumentParser) -> str:
    """The line that says what is wrong: the option, its value, what was expected, the nearest valid name.

    Args:
        message: what jsonargparse says.
        parser: the parser of the command that it says it of, for valid names.
    """
    lines = list(_lines(message))
    failures = list(_failures(lines))
    if not failures:
        return shorten(message)
    # Of equally deep failures a misspelt or missing name tells more than a type that does not fit.
    failure = max(failures, key=lambda failure: (failure.depth, -_PATTERNS.index(failure.kind)))
    if failure.kind is _YAML:
        told = _tell_yaml(lines)
    elif failure.kind is _OTHER and not failure.where:
        told = _tell_plain(failure.line.text, parser)
    else:
        told = _tell(failure, failures, parser)
    file = _FILE.match(lines[0].text)
    return f"{file[1]}: {told}" if file else told


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
        text = _KEY.sub("", line.text).strip()  # as in 'Parser key "config": File does not exist'
        if not text or _NOISE.match(text):
            continue
        before = [*_rising(reversed(lines[:number]), line.indent)][::-1]
        after = [*_rising(lines[number + 1 :], line.indent, strictly=False)]
        kind = next(pattern for pattern in _PATTERNS if pattern.match(text))
        own_key = [line] if text != line.text else []
        yield Failure(Line(line.indent, text), (*before, *own_key), tuple(after), kind)


def _rising(lines: Iterable[Line], indent: int, strictly: bool = True) -> Iterator[Line]:
    """The lines that are indented less than all before them, or no more than these."""
    for line in lines:
        if line.text and (line.indent < indent or (not strictly and line.indent <= indent)):
            yield line
            indent = line.indent


def _tell(failure: Failure, failures: list[Failure], parser: ArgumentParser) -> str:
    match = failure.kind.match(failure.line.text)
    assert match is not None
    where, owner = failure.where, failure.of_class
    option = f"{where}: " if where else ""
    if failure.kind is _DENIED:
        return f"{option}a configuration must not name '{match[1]}', which can run anything."
    if failure.kind is _OPTION and not where:
        return f"there is no option '{match[1]}'.{_nearest_option(match[1], _options(parser))}"
    if failure.kind is _OPTION:
        options = _options(parser_of(owner))
        name = match[1].partition(".")[0]
        if name == "class_path":  # so not all keys are those of a class, and they count as arguments
            return f"{option}only init_args and dict_kwargs can stand beside class_path."
        hint = did_you_mean(name, [*options, "init_args"]) or f" Its options: {', '.join(options) or 'none'}."
        return f"{option}{_leaf(owner)} has no option '{name}'.{hint}"
    if failure.kind is _REQUIRED and not where:
        names = sorted(name.partition(".")[2] or name for name in match[1].split(", "))
        return f"{' and '.join(names)} must be given. Name a configuration, e.g. --config bbb_digits.yaml."
    if failure.kind is _REQUIRED:
        return f"{option}{_leaf(owner)} needs {match[1]}, which has no default."
    if failure.kind is _IMPORT:
        what = f"no '{match[2]}' in '{match[1]}'" if match[2] else f"no module '{match[1]}'"
        return f"{option}{what} to import.{did_you_mean(match[2] or match[1], _names_for(failure, parser))}"
    if failure.kind is _BASE:
        return f"{option}'{match['path'] or failure.value}' is not a {match['base']}."
    if failure.kind is _OTHER and _NOT_MAPPING.match(match[1]):
        return f"{option}the arguments of {_leaf(owner)}, its init_args, must be a mapping."
    if failure.kind is _OTHER:
        return f"{option}{shorten(match[1])}"

    alike = [other for other in failures if (other.where, other.depth) == (where, failure.depth)]
    types = list(dict.fromkeys(name for other in alike if (name := _type_name(other))))
    if failure.kind is _NAME and not {"int", "float"} & set(types):
        names = _names_for(failure, parser)
        known = f" Known: {', '.join(names)}." if 0 < len(names) <= FEW else ""
        return f"{option}there is no class '{match[1]}'.{did_you_mean(match[1], names) or known}"
    value = (match["value"] if failure.kind is _TYPE else None) or failure.value
    choices = re.findall(r"'([^']+)'", " ".join(types))
    return f"{option}expected {' or '.join(types)}, got '{shorten(value, 80)}'.{did_you_mean(value, choices)}"


def _tell_yaml(lines: list[Line]) -> str:
    places = [found for line in lines if (found := re.search(r"line (\d+), column (\d+)", line.text))]
    # PyYAML says first what it was about, then what it found there.
    problems = [match[1] for line in lines if (match := _YAML.match(line.text))]
    problems += [line.text for line in lines if re.match("expected|found|did not find", line.text)]
    place = f"line {places[-1][1]}, column {places[-1][2]}: " if places else ""
    return f"{place}not valid YAML: {problems[-1]}."


def _type_name(failure: Failure) -> str | None:
    match = failure.kind.match(failure.line.text)
    assert match is not None
    if failure.kind not in (_TYPE, _NOT_CLASS):
        return None
    name = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", match["type"])
    literal = re.fullmatch(r"typing\.Literal\[(.+)\]", name)
    return literal[1] if literal else _PLAIN_TYPES.get(name, name)


def _tell_plain(message: str, parser: ArgumentParser) -> str:
    if message.startswith("Unexpected config"):
        return "the file must be a mapping of options."
    unrecognized = re.match(r"unrecognized arguments: ([^\s=]+)", message)
    if unrecognized is None:
        return shorten(message)
    name = unrecognized[1]
    if name.startswith("-"):
        return f"there is no option '{name}'.{_nearest_option(name.lstrip('-'), _options(parser), '--')}"
    hint = f" Did you mean --config {name}?" if name.endswith(".yaml") else ""
    return f"there is no argument '{name}'.{hint}"


def _nearest_option(name: str, options: list[str], prefix: str = "") -> str:
    """A hint for the first part of a dotted name that no option has."""
    known = {".".join(option.split(".")[:depth]) for option in options for depth in range(1, 4)}
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        if ".".join(parts[:depth]) not in known:
            here = [other for other in known if other.count(".") == depth - 1]
            match = nearest(".".join(parts[:depth]), here)
            return "" if match is None else f" Did you mean '{prefix}{'.'.join([match, *parts[depth:]])}'?"
    return ""


def _leaf(path: str | None) -> str:
    return (path or "it").rpartition(".")[2]


def _options(parser: ArgumentParser) -> list[str]:
    return [action.dest for action in parser._actions if not action.dest.endswith("help")]


def parser_of(path: str | None) -> ArgumentParser:
    """A parser of a class's arguments."""
    parser = ArgumentParser(exit_on_error=False)
    owner = _imported(path or "")
    if isclass(owner):
        parser.add_class_arguments(owner, fail_untyped=False)
    return parser


def _imported(path: str) -> object:
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name, None) if module else None
    except ImportError:
        return None  # that it cannot be imported is told as the failure itself


def _names_for(failure: Failure, parser: ArgumentParser) -> list[str]:
    """Names of the classes that the failing option takes."""
    keys = failure.found(_KEY)
    actions = (parser_of(failure.key_of_class) if failure.key_of_class else parser)._actions
    types = [getattr(action, "_typehint", None) for action in actions if keys and action.dest == keys[-1]]
    paths = [path for expected in types if expected is not None for path in short_names.class_paths(expected)]
    return [_leaf(path) for path in paths if not path.startswith("lightning.Lightning")]
