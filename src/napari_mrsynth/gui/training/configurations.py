"""The configurations a training can start from: those shipped with the systems, and the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.gui.training.patients import DataFolder
from napari_mrsynth.training.config import TrainConfig, load_config
from napari_mrsynth.training.shipped import shipped_configurations


@dataclass(frozen=True)
class Configuration:
    """One configuration.

    Attributes
    ----------
    path : Path
    settings : TrainConfig
    own : bool
        Whether it is the user's rather than shipped.
    """

    path: Path
    settings: TrainConfig
    own: bool = False

    @property
    def title(self) -> str:
        """What it trains, in a line."""
        return f"{self.settings.card.title or self.settings.card.id} ({self.path.stem})"

    @property
    def takes_any_contrasts(self) -> bool:
        """Whether its network reads and makes just the contrasts of the data, so that these can be chosen."""
        network, names = self.settings.network, list(self.settings.data.contrasts)
        return list(network.get("inputs", ())) == names and list(network.get("outputs", ())) == names

    def data_in(self, root: Path) -> DataFolder:
        """Return a data folder as a training with this configuration reads it."""
        return DataFolder(root, self.settings.data.table, self.settings.data.split)

    def only(self, root: Path) -> str:
        """Return the pattern of the patients it wants of a data folder; empty on other data than its own."""
        data = self.settings.data
        return data.only if Path(data.root).expanduser().resolve() == root.resolve() else ""

    @classmethod
    def read(cls, path: Path, *, own: bool = True) -> Configuration:
        """Read one.

        Raises
        ------
        ConfigError
            If it is wrong.
        """
        return cls(path, load_config(path), own)


def shipped() -> list[Configuration]:
    """Return the configurations of the systems that can be trained, the shipped model's first."""
    from napari_mrsynth.training.registry import SYSTEMS as TRAINABLE

    files = shipped_configurations()
    first = files["anysubset/brain"]
    found = []
    for path in sorted(files.values(), key=lambda path: (path != first, path)):
        try:
            configuration = Configuration.read(path, own=False)
        except MrsynthError:  # of a system whose settings this training does not read
            continue
        if configuration.settings.system in TRAINABLE:
            found.append(configuration)
    return found
