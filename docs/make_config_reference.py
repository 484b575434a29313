"""Write reference/training-config.md from the code: every setting, its type and default, of every system.

python docs/make_config_reference.py
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from pathlib import Path

import napari_mrsynth.systems  # noqa: F401  (names the networks)
from napari_mrsynth.networks import registry
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.registry import SYSTEMS

TABLE = ["| setting | type | default | |", "|---|---|---|---|"]
PAGE = Path(__file__).parent / "reference" / "training-config.md"

HEAD = """# The training configuration

Made from `napari_mrsynth.training.config` by `docs/make_config_reference.py`; change the code, not this page.

A configuration is a YAML file with these sections. Settings that have no default must be given. Any of them
can be given on the command line too: `mrsynth train mine.yaml --set optim.steps=100`. `network` and
`objective` belong to the system that is trained; what they hold is listed below, system by system.
"""

SYSTEMS_HEAD = """## The systems

What `system` can be, and what `network` and `objective` hold then.
[How each is trained](../how-to/train.md#the-systems) says what its patients need.
"""

NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}
OBJECTIVES = {
    "anatomy": "napari_mrsynth.systems.lesiongan.anatomy.objective",
    "lesion-scans": "napari_mrsynth.systems.lesiongan.scans.objective",
}
"""Where a system's objective lives, if not in ``napari_mrsynth.systems.SYSTEM.objective``."""
NETWORKS = {"anysubset": ("anysubset", "anysubset-extended"), "direct": ("lsdn", "dedis")}
"""Names of a system's networks, if it is not the system's own name."""
BESIDES = {
    "anatomy": "`classes`, a list of whole numbers: the lesion classes in label maps; default `[1, 2, 4]`."
}
"""Settings that an objective's section holds beside the objective's own."""


def render() -> str:
    """Return the page."""
    systems = [line for system in SYSTEMS for line in _system(system)]
    return "\n".join([HEAD, *_section(TrainConfig, ""), SYSTEMS_HEAD, *systems])


def _system(system: str) -> list[str]:
    """Return the tables of a system's networks and objective."""
    objective = import_module(OBJECTIVES.get(system, f"napari_mrsynth.systems.{system}.objective")).Objective
    lines = [f"## system: {system}", ""]
    for name in NETWORKS.get(system, (system,)):
        place, _, cls = registry._NETWORKS[name].partition(":")
        lines += _parameters(name, getattr(import_module(place), cls))
    summary = inspect.getdoc(objective).partition("\n")[0]
    lines += ["### objective", "", f"{summary} Functions are those of `{objective.__module__}`.", ""]
    lines += [*TABLE, *_fields(objective, "objective.")[0], ""]
    return [*lines, f"Beside these: {BESIDES[system]}", ""] if system in BESIDES else lines


def _parameters(name: str, network: type) -> list[str]:
    """Return the table of a network's parameters; of ``**params``, where it is said what they are."""
    told: dict[str, str] = {}
    for base in reversed(network.__mro__[:-1]):
        if base.__module__.startswith("napari_mrsynth"):
            told |= {name: said for name, said in _told(base, "Parameters").items() if said}
    hints = typing.get_type_hints(network.__init__)
    rows = []
    for item in list(inspect.signature(network).parameters.values()):
        if item.kind is inspect.Parameter.VAR_KEYWORD:
            rows.append(f"| … | | | {told[f'**{item.name}']} |")
            continue
        default = "—" if item.default is inspect.Parameter.empty else _value(item.default)
        kind = _name(hints[item.name])
        rows.append(f"| `network.{item.name}` | {kind} | {default} | {told.get(item.name, '')} |")
    summary = inspect.getdoc(network).partition("\n")[0]
    return [f"### network, name: {name}", "", summary.replace(":class:", ""), "", *TABLE, *rows, ""]


def _section(cls: type, where: str) -> list[str]:
    rows, inner = _fields(cls, where)
    title = where.rstrip(".") or "At the top"
    summary = inspect.getdoc(cls).partition("\n")[0]
    return [f"## {title}", "", summary, "", *TABLE, *rows, "", *inner]


def _fields(cls: type, where: str) -> tuple[list[str], list[str]]:
    """Return the rows of a dataclass's settings, and the sections of those that hold more."""
    hints, told = typing.get_type_hints(cls), _told(cls)
    rows, inner = [], []
    for item in fields(cls):
        kind, place = hints[item.name], f"{where}{item.name}"
        if is_dataclass(kind):
            inner += _section(kind, f"{place}.")
        else:
            rows.append(f"| `{place}` | {_name(kind)} | {_default(item)} | {told.get(item.name, '')} |")
    return rows, inner


def _told(cls: type, section: str = "Attributes") -> dict[str, str]:
    """Return what a section of the docstring says, by name."""
    entries = inspect.getdoc(cls).partition(f"{section}\n{'-' * len(section)}\n")[2]
    entries = re.split(r"^\S+\n-{4,}$", entries, flags=re.MULTILINE)[0]
    found = {}
    for names, kind, text in re.findall(r"^(\S.*?)(?: : (.*))?\n((?: +.*\n?)*)", entries, re.MULTILINE):
        choices = kind if "``" in kind else ""
        said = ". ".join(part for part in (choices, " ".join(text.split())) if part)
        said = re.sub(r":(data|func|class):`(?:[\w.]*\.)?(\w+)`", r"`\2`", said)
        said = re.sub(r":math:`(.*?)`", r"\1", said).replace("|", "\\|").replace("``", "`")
        found.update(dict.fromkeys((name.strip() for name in names.split(",")), said))
    return found


def _name(kind: object) -> str:
    if typing.get_origin(kind) in (tuple, Sequence):
        return f"list of {NAMES[typing.get_args(kind)[0]]}"
    return NAMES.get(kind, "mapping") if isinstance(kind, type | types.GenericAlias) else "mapping"


def _default(item: Field) -> str:
    value = item.default_factory() if item.default_factory is not MISSING else item.default
    return "—" if value is MISSING else _value(value)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`" if value != "" else "none"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
