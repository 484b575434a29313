"""The training configurations that come with the systems, by short names: ``segmenter/tumour``."""

from __future__ import annotations

from pathlib import Path

SYSTEMS = Path(__file__).parents[1] / "systems"


def shipped_configurations() -> dict[str, Path]:
    """Return the file of every configuration that is shipped, by its system's folder and its own name."""
    files = sorted(SYSTEMS.rglob("configs/*.yaml"))
    return {f"{path.parent.parent.relative_to(SYSTEMS).as_posix()}/{path.stem}": path for path in files}
