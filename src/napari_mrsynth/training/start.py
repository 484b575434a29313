"""A training that starts from a bundle's weights, and what its own bundle then owes to that one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.preprocess.likeness import KnownScans
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.prepared import Prepared

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_mrsynth.bundles import Bundle, Card

FILE = "start.json"
"""What a run folder remembers of the bundle its run started from."""

_PLACES = {
    "direct": ("inputs", "outputs"),
    "lesion-scans": ("contrasts", "classes"),
    "segmenter": ("inputs", "classes"),
}
"""Lists of a network's settings whose entries the weights know by their places alone."""


@dataclass(frozen=True)
class Start:
    """The bundle that a training started from.

    Attributes
    ----------
    id, weights_sha256 : str
        Its own.
    subjects : tuple of mapping
        Who it learnt from: ``id``, ``sha256``, perhaps ``volumes``.
    data_licences : tuple of str
        Of their data.
    new : tuple of str
        Tensors of the network that it does not have, or in another shape; they start at random.
    notes : tuple of str
        What differs from the bundle and is allowed to.
    """

    id: str
    weights_sha256: str
    subjects: tuple[Mapping[str, Any], ...] = ()
    data_licences: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def remembered(cls, folder: Path) -> Start | None:
        """Return what the run in a folder started from, or None where that was nothing."""
        path = folder / FILE
        if not path.is_file():
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`remembered` reads it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def parent(self) -> dict[str, str]:
        """What a card says of it."""
        return {"id": self.id, "weights_sha256": self.weights_sha256}

    @property
    def words(self) -> str:
        """One line for people."""
        found = f"started from {self.id}"
        if self.new:
            found += f"; new: {', '.join(named_parts(self.new))}"
        return "; ".join([found, *self.notes])

    def with_subjects(self, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return whom the bundle learnt from and, after them, those of `records` who are not among them."""
        known = {subject["sha256"] for subject in self.subjects}
        return [*self.subjects, *(record for record in records if record["sha256"] not in known)]

    def refuse_learnt(self, held_out: Sequence[Prepared]) -> None:
        """Refuse to measure on a patient the bundle learnt from, known by the scans.

        Raises
        ------
        InputError
            Naming the patient, the scan and whose it was.
        """
        known = KnownScans.of(self.subjects)
        for patient in held_out:
            found = known.find(patient.record())
            if found is not None:
                raise InputError(
                    f"{patient.subject} is held out, but the start {self.id} learnt from the {found[0]} "
                    f"(as {found[1]}).",
                    hint="Hold out patients it has not learnt from, or start from another bundle.",
                )


def opened_start(config: TrainConfig) -> Bundle | None:
    """Return the bundle that a configuration starts from, of the same system; None for none.

    Raises
    ------
    BundleError
        If there is no such bundle, or its card is damaged.
    ConfigError
        If it is of another system, or its weights mean other contrasts or classes than the network's.
    """
    if not config.start:
        return None
    from napari_mrsynth.bundles import Bundle, BundleStore

    folder = Path(config.start).expanduser()
    bundle = Bundle.open(folder) if folder.is_dir() else BundleStore().get(config.start)
    card = bundle.card
    if card.system != config.system:
        raise ConfigError(
            f"The start {card.id!r} is of the system {card.system!r}, this training of {config.system!r}.",
            hint=f"Set start to a bundle of {config.system!r}, or leave it out to start from scratch.",
        )
    for name in _by_place(config):
        theirs, ours = _listed(card.network, name), _listed(config.network, name)
        if len(theirs) == len(ours) and theirs != ours:  # of other lengths, the shapes differ
            raise ConfigError(
                f"The {name} of the start {card.id!r} are {', '.join(theirs)}, those of this network "
                f"{', '.join(ours)}; its weights know them by their places.",
                hint=f"Set network.{name} to [{', '.join(theirs)}].",
            )
    return bundle


def load_start(bundle: Bundle, network: nn.Module, config: TrainConfig) -> Start:
    """Load a bundle's verified weights into a network; what it lacks, or what does not fit, stays as it is.

    With ``start_fitting``, a network that has a method ``refitted`` is first asked what weights of another
    shape are in its own.

    Parameters
    ----------
    bundle : Bundle
        As :func:`opened_start` returned it.
    network : nn.Module
        Changed in place.
    config : TrainConfig
        Of the training, to note what else differs from the bundle.

    Raises
    ------
    BundleError
        If the weights are damaged.
    ConfigError
        If the network lacks a part of the bundle, or has it in another shape without ``start_fitting``.
    """
    state, card = bundle.state(), bundle.card
    own: dict[str, Tensor] = network.state_dict()
    remedy = f"Write the section network as in {bundle.folder / 'card.yaml'}; parts may be added to it"
    lacking = sorted(name for name in state if name not in own)
    if lacking:
        raise ConfigError(
            f"The start {card.id!r} has {', '.join(named_parts(lacking))}, which the network lacks.",
            hint=f"{remedy}.",
        )
    unlike = _unlike(state, own)
    notes = _differences(card, config)
    refitted = getattr(network, "refitted", None)
    if unlike and config.start_fitting and refitted is not None:
        state = refitted(state)
        still = _unlike(state, own)
        fitted = [name for name in unlike if name not in still]
        notes = (*notes, f"fitted to this network: {', '.join(named_parts(fitted))}")
        unlike = still
    if unlike and not config.start_fitting:
        told = [f"{name} is {_size(state[name])} there, {_size(own[name])} here" for name in unlike[:3]]
        more = f"; so are {len(unlike) - 3} more" if len(unlike) > 3 else ""
        raise ConfigError(
            f"Parts of the start {card.id!r} have another shape in the network: {', '.join(told)}{more}.",
            hint=f"{remedy}. To start those at random, set start_fitting to true.",
        )
    state = {name: value for name, value in state.items() if name not in unlike}
    network.load_state_dict({**own, **state})
    return Start(
        card.id,
        card.weights_sha256,
        tuple(card.training.get("subjects", ())),
        card.data_licences,
        tuple(name for name in own if name not in state),
        notes,
    )


def named_parts(names: Sequence[str]) -> tuple[str, ...]:
    """Return the parts that tensors belong to, by the first two steps of their names, in order."""
    return tuple(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))


def _by_place(config: TrainConfig) -> tuple[str, ...]:
    shared = config.system == "anysubset" and config.network.get("decoder") == "residual"
    return ("outputs",) if shared else _PLACES.get(config.system, ())


def _listed(spec: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of the network's settings, without what has a decoder of its own."""
    return [str(item) for item in spec.get(name, ()) if item not in spec.get("own", ())]


def _unlike(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    return sorted(name for name, value in state.items() if value.shape != own[name].shape)


def _differences(card: Card, config: TrainConfig) -> tuple[str, ...]:
    found = []
    if card.spacing_mm != config.data.spacing_mm:
        found.append(f"its voxels are {card.spacing_mm:g} mm, here {config.data.spacing_mm:g} mm")
    method = card.normalisation["method"]
    if method != config.data.normalisation:
        found.append(f"its normalisation is {method}, here {config.data.normalisation}")
    return tuple(found)


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
