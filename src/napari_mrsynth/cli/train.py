"""``mrsynth train``: train a system as a configuration file says, and save the model as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_mrsynth.cli._output import Report, absolute
from napari_mrsynth.errors import ConfigError

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file; see docs/how-to/train.md.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Values that differ from the file's: optimiser.lr=1e-4"),
]


def train(config: Config, overrides: Overrides = None) -> Report:
    """Train a model and save it as a bundle."""
    path = absolute(config)
    if not path.is_file():
        raise ConfigError(f"There is no configuration at {path}.", hint="Give the path of a YAML file.")
    for override in overrides or []:
        if "=" not in override:
            raise ConfigError(f"{override!r} is not KEY=VALUE.", hint="For example: optimiser.lr=1e-4")
    from napari_mrsynth.training.run import train as run

    outcome = run(path, tuple(overrides or ()))
    return Report({"outcome": outcome}, str(outcome))
