"""Options that several subcommands have, and how their values are read."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._output import Style, absolute
from napari_mrsynth.errors import ConfigError, ContrastError, OutputError

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle


class Device(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Precision(StrEnum):
    """Numbers to compute with."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class Disease(StrEnum):
    """Whose classes of lesion tissue are meant."""

    TUMOUR = "tumour"
    MS = "ms"
    STROKE = "stroke"


Where = Annotated[Device, typer.Option(help="Where to compute.")]
Numbers = Annotated[Precision, typer.Option(help="Numbers to compute with.")]
Mask = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A brain mask to use instead of a computed one.")
]
Only = Annotated[str, typer.Option(metavar="PATTERN", help="Of real patients, those called so: 'tumour/*'")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SETTING=VALUE", help="Change a setting: optim.steps=1000"),
]
Quick = Annotated[bool, typer.Option("--quick", help="A rehearsal in minutes; its figures say nothing.")]
_ELSEWHERE = "Choose another folder with --out."
REHEARSED = "A rehearsal: these figures say nothing."
Telling = Annotated[
    Style, typer.Option(help="Progress for people, or one JSON object a line; on standard error.")
]


def listed(text: str) -> tuple[str, ...]:
    """Return what is named between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def contrasts_of(text: str, option: str) -> tuple[str, ...]:
    """Return the contrasts that an option names, each once, by their usual names.

    Raises
    ------
    ContrastError
        If it names none.
    """
    from napari_mrsynth.imaging.contrasts import canonical

    names = tuple(dict.fromkeys(canonical(name) for name in listed(text)))
    if not names:
        raise ContrastError(f"{option} {text!r} names no contrast.", hint=f"For example: {option} FLAIR,T1w")
    return names


def bundle_of(name: str) -> Bundle:
    """Return the bundle in the folder of this name, or the installed one of this id.

    Raises
    ------
    BundleError
        If there is none, or its card is damaged.
    """
    from napari_mrsynth.bundles import Bundle, BundleStore

    folder = absolute(Path(name))
    return Bundle.open(folder) if folder.is_dir() else BundleStore().get(name)


def refuse_unused(options: Mapping[str, object], where: str, hint: str) -> None:
    """Refuse options that were given (are not None) where they would change nothing.

    Raises
    ------
    ConfigError
        Naming them with their values.
    """
    given = [f"{name} {value}" for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(f"{', '.join(given)} would change nothing {where}.", hint=hint)


def makeable(folder: Path) -> Path:
    """Return a folder as an absolute path; nothing is made yet, but what stands in the way is told.

    Raises
    ------
    OutputError
        If it is no folder and cannot become one, or is read-only.
    """
    from napari_mrsynth.io.atomic import require_makeable

    folder = absolute(folder)
    require_makeable(folder, _ELSEWHERE)
    return folder


def writable(folder: Path) -> Path:
    """Return a folder as an absolute path, made where it was not there.

    Raises
    ------
    OutputError
        If it cannot be made or written to.
    """
    from napari_mrsynth.io.atomic import require_makeable

    folder = absolute(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}.", hint=_ELSEWHERE) from error
    require_makeable(folder, _ELSEWHERE)
    return folder
