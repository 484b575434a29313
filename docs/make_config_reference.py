"""Write reference/training-config.md from the configuration's classes: every setting, its type and default.

python docs/make_config_reference.py
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path

from napari_mrsynth.training.config import TrainConfig

PAGE = Path(__file__).parent / "reference" / "training-config.md"

HEAD = """# The training configuration

Made from `napari_mrsynth.training.config` by `docs/make_config_reference.py`; change the code, not this page.

A configuration is a YAML file with these sections. Settings that have no default must be given. Any of them
can be given on the command line too: `mrsynth train mine.yaml --set optim.steps=100`. `network` and
`objective` belong to the system that is trained: for `anysubset` they are the parameters of
`AnySubsetNetwork` and the fields of `Objective`.
"""

NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def render() -> str:
    """Return the page."""
    return "\n".join([HEAD, *_section(TrainConfig, "")])


def _section(cls: type, where: str) -> list[str]:
    hints, told = typing.get_type_hints(cls), _told(cls)
    rows, inner = [], []
    for item in fields(cls):
        kind, place = hints[item.name], f"{where}{item.name}"
        if is_dataclass(kind):
            inner += _section(kind, f"{place}.")
        else:
            rows.append(f"| `{place}` | {_name(kind)} | {_default(item)} | {told.get(item.name, '')} |")
    title = where.rstrip(".") or "At the top"
    summary = inspect.getdoc(cls).partition("\n")[0]
    table = ["| setting | type | default | |", "|---|---|---|---|", *rows]
    return [f"## {title}", "", summary, "", *table, "", *inner]


def _told(cls: type) -> dict[str, str]:
    """Return what the docstring's Attributes say, by name."""
    attributes = inspect.getdoc(cls).partition("Attributes\n----------\n")[2]
    found = {}
    for names, text in re.findall(r"^(\S.*?) : .*\n((?: +.*\n?)+)", attributes, re.MULTILINE):
        said = " ".join(text.split()).replace(":data:", "").replace("|", "\\|").replace("``", "`")
        found.update(dict.fromkeys((name.strip() for name in names.split(",")), said))
    return found


def _name(kind: object) -> str:
    if typing.get_origin(kind) is tuple:
        return f"list of {NAMES[typing.get_args(kind)[0]]}"
    return NAMES.get(kind, "mapping") if isinstance(kind, type | types.GenericAlias) else "mapping"


def _default(item: Field) -> str:
    value = item.default_factory() if item.default_factory is not MISSING else item.default
    if value is MISSING:
        return "—"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{value}`" if value != "" else "none"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
