"""The training configurations that come with the systems, by short names: ``segmenter/tumour``."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from napari_mrsynth.errors import ConfigError

SYSTEMS = Path(__file__).parents[1] / "systems"


def shipped_configurations() -> dict[str, Path]:
    """Return the file of every configuration that is shipped, by its system's folder and its own name."""
    files = sorted(SYSTEMS.rglob("configs/*.yaml"))
    return {f"{path.parent.parent.relative_to(SYSTEMS).as_posix()}/{path.stem}": path for path in files}


def configuration_at(given: str | Path, system: str = "") -> Path:
    """Return the absolute path of a configuration, given by its own path or by a shipped one's name.

    Parameters
    ----------
    given : str or path
        A YAML file; or a name, such as ``segmenter/tumour``, if there is no such file.
    system : str
        Whose configurations may be called by their bare names.

    Raises
    ------
    ConfigError
        If there is none.
    """
    path, names = Path(given).expanduser().absolute(), shipped_configurations()
    if path.is_file():
        return path
    name = Path(given).as_posix().removesuffix(".yaml")
    for each in (name, f"{system}/{name}"):
        if each in names:
            return names[each]
    near = get_close_matches(name, names, n=1) or get_close_matches(f"{system}/{name}", names, n=1)
    offered = ", ".join(near or names)
    raise ConfigError(
        f"There is no configuration at {path}.",
        hint=f"Give the path of a YAML file, or the name of one that is shipped: {offered}.",
    )


def called(path: Path, system: str = "") -> str:
    """Return what a command calls a configuration: a shipped one by its name, another by its file's.

    Those of `system` are called by their bare names.
    """
    for name, file in shipped_configurations().items():
        if file == path:
            return name.removeprefix(f"{system}/")
    return path.name
