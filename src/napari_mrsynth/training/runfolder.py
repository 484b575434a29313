"""The run folder: everything that is needed to repeat a training, or to go on with it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from napari_mrsynth import __version__
from napari_mrsynth.errors import ConfigError, InputError, OutputError
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.locking import alone_in
from napari_mrsynth.training.config import TrainConfig, load_config
from napari_mrsynth.training.material import changed_patients
from napari_mrsynth.training.precision import precision_here

ENDED = "ended.json"
"""Written when a training has come to its end and its bundle is there."""

FREE = ("run.", "card.", "validation.", "data.root", "data.cache", "data.table")
"""Settings that may change when a run is resumed: where things are, what is watched, what the card says."""

_PACKAGES = ("torch", "lightning", "numpy", "scipy", "nibabel", "SimpleITK", "dipy", "torchio", "safetensors")


@dataclass(frozen=True)
class RunFolder:
    """Where a training keeps its things.

    Attributes
    ----------
    path : Path
        Holds ``config.yaml``, ``patients.json``, ``environment.json``, ``held_out.json``, ``ended.json``,
        ``start.json`` where the run started from a bundle, and the folders ``checkpoints``, ``log``,
        ``tensorboard``, ``samples`` and ``bundle``.
    """

    path: Path

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint of the smallest error on the held-out patients; only where that is watched."""
        return self.path / "checkpoints" / "best.ckpt"

    @contextmanager
    def alone(self, wait_s: float = 10.0) -> Iterator[None]:
        """Make the folder, and keep other trainings out of it; the helpers of one training share it.

        The system takes the lock back when a training ends, however it does.

        Parameters
        ----------
        wait_s : float
            How long to wait for one that is just ending.

        Raises
        ------
        OutputError
            If the folder cannot be made.
        ConfigError
            If another training runs in it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The run folder “{self.path}” cannot be made: {error.strerror}.",
                hint="Set run.folder to another one.",
            ) from error
        hint = "Wait for its end, or set run.folder to another one."
        with nullcontext() if _helps() else alone_in(self.path, "training", hint, wait_s):
            yield

    def claim(self, config: TrainConfig) -> None:
        """Check that the configuration is the one the run was begun with, where one was.

        A run that never came to a checkpoint has learnt nothing: any other may take its place.

        Raises
        ------
        ConfigError
            If a run with other settings lives there; settings in `FREE` may differ.
        """
        path = self.path / "config.yaml"
        if not self.last.is_file():
            pictures = (self.path / "samples").glob("step-*.png")
            for left in (
                () if _helps() else (self.best, self.path / "start.json", self.path / ENDED, *pictures)
            ):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
        elif path.is_file():
            changed = sorted(_differences(_plain(load_config(path)), _plain(config)))
            changed = [key for key in changed if not key.startswith(FREE)]
            if changed:
                raise ConfigError(
                    f"The run folder {self.path} belongs to a run with another {', '.join(changed)}.",
                    hint="Choose another run.folder, or resume with the configuration that is in the folder.",
                )

    def keep(self, config: TrainConfig) -> None:
        """Write the configuration, once nothing that the run began with speaks against it."""
        with replacing(self.path / "config.yaml") as temporary:
            text = yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True)
            Path(temporary).write_text(text, encoding="utf-8")

    def remember(self, records: Mapping[str, Any]) -> None:
        """Write who is learnt from and who is held out, or check that they are the ones the run began with.

        Raises
        ------
        InputError
            Naming the patients that changed.
        """
        path = self.path / "patients.json"
        if path.is_file() and self.last.is_file():
            try:
                earlier = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InputError(
                    f"{path} is damaged: nobody knows which patients the run began with.",
                    hint="Put it back from a copy, or choose another run.folder.",
                ) from error
            changed = changed_patients(earlier, records)
            if changed:
                raise InputError(
                    f"The run in {self.path} began with other patients or scans: {', '.join(changed)}.",
                    hint="Give it back the scans it began with, or choose another run.folder.",
                )
        self.write("patients.json", records)

    def describe(self, config: TrainConfig) -> None:
        """Write what the training runs on and with: versions, seed, machine, threads, working folder."""
        import torch

        self.write(
            "environment.json",
            {
                "napari-mrsynth": __version__,
                "python": platform.python_version(),
                **{name: _version(name) for name in _PACKAGES},
                "working_folder": str(Path.cwd()),
                "system": platform.platform(),
                "processor": platform.processor() or platform.machine(),
                "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
                "threads": torch.get_num_threads(),
                "accelerator": config.run.accelerator,
                "devices": config.run.devices,
                "nodes": config.run.nodes,
                "precision": precision_here(config)[0],
                "seed": config.seed,
            },
        )

    def config(self) -> TrainConfig:
        """Return the configuration of the run, with its data where they were seen from where it was started.

        Raises
        ------
        ConfigError
            If it cannot be read.
        """
        config = load_config(self.path / "config.yaml")
        root = Path(config.data.root).expanduser()
        with suppress(OSError, ValueError, KeyError):
            said = json.loads((self.path / "environment.json").read_text(encoding="utf-8"))
            root = Path(said["working_folder"]) / root
        if Path(config.data.root).expanduser().is_dir() or not root.is_dir():
            return config
        return replace(config, data=replace(config.data, root=str(root)))

    def write(self, name: str, data: Any) -> None:
        """Write plain data as JSON, whole or not at all."""
        with replacing(self.path / name) as temporary:
            Path(temporary).write_text(json.dumps(data, indent=1), encoding="utf-8")


def _helps() -> bool:
    """Whether this process helps another one's training, as Lightning, torchrun and SLURM say."""
    ranks = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
    return any(os.environ.get(name, "") not in ("", "0") for name in ranks)


def _plain(config: TrainConfig) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _differences(first: Any, second: Any, where: str = "") -> list[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        found = []
        for key in {*first, *second}:
            place = f"{where}.{key}" if where else str(key)
            found += _differences(first.get(key), second.get(key), place)
        return found
    return [] if first == second else [where]
