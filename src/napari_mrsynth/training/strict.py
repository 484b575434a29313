"""Plain data into dataclasses, strictly: an unknown key or an ill-typed value is refused by its name."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml

from napari_mrsynth.errors import ConfigError

T = TypeVar("T")

_CHANGE = "Change it in the configuration file, or override it with --set SETTING=VALUE."
_QUOTE = "YAML reads it otherwise: put it between quotes, as in '001'."


def from_mapping(cls: type[T], data: Mapping[str, Any], where: str = "") -> T:
    """Make a dataclass from plain data, checking every key and type.

    Parameters
    ----------
    cls : type
        A dataclass.
    data : mapping
        As YAML gives it.
    where : str
        Dotted place of `data` in the whole, for messages.

    Raises
    ------
    ConfigError
        Quoting the dotted key and the value.
    """
    hints = typing.get_type_hints(cls)
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    _refuse_others(data, known, where)
    values = {}
    for name, item in known.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], _dotted(where, name))
        elif item.default is MISSING and item.default_factory is MISSING:
            raise _missing(where, name)
    return cls(**values)


def arguments(cls: type, data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return plain data as what a class is called with, checking every name and type.

    Parameters
    ----------
    cls : type
        With annotated parameters. Where it takes any others (``**params``), those are passed on as they are.
    data : mapping
        As YAML gives it.
    where : str
        Dotted place of `data` in the whole, for messages.

    Raises
    ------
    ConfigError
        Quoting the dotted key and the value.
    """
    parameters = inspect.signature(cls, eval_str=True).parameters
    known = {name: each for name, each in parameters.items() if each.kind is not each.VAR_KEYWORD}
    if len(known) == len(parameters):
        _refuse_others(data, known, where)
    for name, each in known.items():
        if name not in data and each.default is each.empty:
            raise _missing(where, name)
    return {
        key: _convert(known[key].annotation, value, _dotted(where, key)) if key in known else value
        for key, value in data.items()
    }


def _convert(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where!r} is {value!r}; it holds settings of its own.", hint=_CHANGE)
        return from_mapping(kind, value, where)
    origin = typing.get_origin(kind)
    if origin in (tuple, Sequence):
        inner = typing.get_args(kind)[0]
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise ConfigError(f"{where!r} is {value!r}; it should be a list.", hint=_CHANGE)
        return tuple(_convert(inner, item, where) for item in value)
    if origin in (types.UnionType, typing.Union):
        return value
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where!r} is {value!r}; it should be a mapping.", hint=_CHANGE)
        return dict(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):  # YAML reads 1e-3 as text
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        hint = _QUOTE if kind is str else _CHANGE
        raise ConfigError(f"{where!r} is {value!r}; it should be {_in_words(kind)}.", hint=hint)
    return value


def override(data: dict[str, Any], text: str) -> None:
    """Change plain data in place as ``a.b=c`` says, `c` read as YAML; an empty `c` is the empty text.

    Raises
    ------
    ConfigError
        If `text` is of another form, or goes into a single value.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"The override {text!r} is not of the form a.b=value.", hint="For example: optim.ema=0.99"
        )
    *parents, last = key.strip().split(".")
    place = data
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigError(
                f"The override {text!r} goes into {parent!r}, which holds a single value.",
                hint=f"Give {parent!r} itself a value, or name a setting that it holds.",
            )
    try:
        place[last] = yaml.safe_load(value) if value.strip() else ""  # a shell takes the quotes of a.b=""
    except yaml.YAMLError as error:
        raise ConfigError(
            f"The value of the override {text!r} cannot be read: {error}.", hint="Write it as in YAML."
        ) from error


def setting(key: str, value: object) -> str:
    """Write ``key=value`` as :func:`override` reads it, whatever characters a text has."""
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def refuse_fixed(overrides: Iterable[str], fixed: Mapping[str, str]) -> None:
    """Refuse overrides that would have no effect, because whoever reads them decides the setting itself.

    Parameters
    ----------
    overrides : iterable of str
        ``a.b=c`` each.
    fixed : mapping of str to str
        Dotted keys, and what is done whatever they say.

    Raises
    ------
    ConfigError
        Quoting the override, and saying what is done.
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        for name, why in fixed.items():
            if name == key or key.startswith(f"{name}."):
                raise ConfigError(f"{text} has no effect here: {why}.", hint=f"Leave out {key}.")
            if name.startswith(f"{key}."):
                raise ConfigError(
                    f"{text} sets {name} too, which has no effect here: {why}.",
                    hint=f"Set what else is meant in {key} one by one: {key}.NAME=VALUE",
                )


def _refuse_others(data: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Refuse keys that are not known, offering the nearest."""
    names = list(known)
    for key in data:
        if key not in names:
            raise ConfigError(f"There is no setting {_dotted(where, key)!r}.", hint=_nearest(key, names))


def _missing(where: str, name: str) -> ConfigError:
    return ConfigError(f"The setting {_dotted(where, name)!r} is missing.", hint="Give it a value.")


def _nearest(key: str, names: Sequence[str]) -> str:
    near = get_close_matches(str(key), names, n=2)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known settings: {', '.join(names)}."


def _dotted(where: str, key: str) -> str:
    return f"{where}.{key}" if where else str(key)


def _in_words(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(kind, str(kind))
