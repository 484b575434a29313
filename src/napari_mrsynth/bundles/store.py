"""Where models are found: a few folders, listed by their cards alone (torch is not imported)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from pathlib import Path

from napari_mrsynth.bundles.bundle import Bundle, require_network
from napari_mrsynth.bundles.card import CARD_FILE, Card
from napari_mrsynth.bundles.weights import count_parameters, read_header, read_verified
from napari_mrsynth.errors import BundleError

ROOTS_VARIABLE = "MRSYNTH_MODELS"


def default_roots() -> tuple[Path, ...]:
    """Return the folders that hold bundles, the first of a name winning.

    In order: the folders named in the environment variable ``MRSYNTH_MODELS`` (separated as in ``PATH``),
    the user's data folder, the models shipped in the package, and, in a checkout, its ``models/``.
    """
    from platformdirs import user_data_path

    package = Path(__file__).resolve().parents[1]
    named = [Path(part) for part in os.environ.get(ROOTS_VARIABLE, "").split(os.pathsep) if part]
    user = user_data_path("napari-mrsynth", appauthor=False) / "models"
    checkout = [package.parents[1] / "models"] if (package.parents[1] / "pyproject.toml").is_file() else []
    return (*named, user, package / "_models", *checkout)


@dataclass(frozen=True)
class Problem:
    """A folder that should be a bundle and is not usable.

    Attributes
    ----------
    folder : Path
    error : BundleError
        What is wrong.
    """

    folder: Path
    error: BundleError

    @property
    def message(self) -> str:
        """What is wrong and how to mend it."""
        return str(self.error)


class BundleStore:
    """The models that are here.

    A damaged card never hides the others: it is listed in :attr:`problems`.

    Parameters
    ----------
    roots : iterable of path, optional
        Folders whose sub-folders are bundles; :func:`default_roots` if not given.
    """

    def __init__(self, roots: Iterable[str | Path] | None = None) -> None:
        self.roots = default_roots() if roots is None else tuple(Path(root) for root in roots)

    def cards(self) -> list[Card]:
        """Return the cards of the usable bundles, by root, then by name."""
        return [bundle.card for bundle in self._found[0].values()]

    def synthesisers(self) -> list[Card]:
        """Return the cards of those that make scans; a segmenter, say, is a bundle too."""
        from napari_mrsynth.systems.predictor import SYNTHESISERS

        return [card for card in self.cards() if card.system in SYNTHESISERS]

    @property
    def problems(self) -> list[Problem]:
        """Folders with a card that cannot be used, and why."""
        return list(self._found[1])

    def refresh(self) -> None:
        """Look at the folders again."""
        self.__dict__.pop("_found", None)

    def get(self, bundle_id: str) -> Bundle:
        """Return the bundle of this id, or of this folder if it is a path.

        Raises
        ------
        BundleError
            If there is none (naming those that are here), or its card is damaged.
        """
        bundles, problems = self._found
        if bundle_id in bundles:
            return bundles[bundle_id]
        if os.sep in bundle_id or Path(bundle_id).suffix:
            return Bundle.open(bundle_id)
        for problem in problems:
            if problem.folder.name == bundle_id:
                raise BundleError(problem.error.message, hint=problem.error.hint) from problem.error
        near = get_close_matches(bundle_id, bundles, n=1)
        known = f"Models here: {', '.join(bundles) or 'none'}."
        raise BundleError(
            f"There is no model {bundle_id!r}.", hint=f"Did you mean {near[0]}? {known}" if near else known
        )

    def default(self, inputs: Iterable[str], wanted: Iterable[str]) -> Card:
        """Return the model to use for making `wanted` from `inputs`.

        Of those that can, the one that makes the most contrasts (the most general), then the first listed.

        Raises
        ------
        BundleError
            If none can, with each model's reason.
        """
        inputs, wanted = tuple(inputs), tuple(wanted)
        cards = self.synthesisers()
        able = [card for card in cards if card.explain(inputs, wanted) is None]
        if able:
            return max(able, key=_generality)
        if not cards:
            folders = ", ".join(str(root) for root in self.roots)
            raise BundleError(
                f"There is no model here (looked in {folders}).",
                hint=f"Name a folder of bundles in {ROOTS_VARIABLE}, or install the package again.",
            )
        if len(cards) == 1:
            raise BundleError(
                f"{cards[0].explain(inputs, wanted)}", hint="Change the inputs or what to make."
            )
        reasons = " ".join(f"{card.id}: {card.explain(inputs, wanted)}" for card in cards)
        asked = f"{', '.join(wanted) or 'nothing'} from {', '.join(inputs) or 'nothing'}"
        raise BundleError(
            f"No model makes {asked}. {reasons}",
            hint="Change the inputs or what to make.",
        )

    def verify(self, bundle_id: str, networks: Collection[str] | None = None) -> list[str]:
        """Return everything that is wrong with a bundle; an empty list when it is sound.

        Parameters
        ----------
        bundle_id : str
            As for :meth:`get`.
        networks : collection of str, optional
            The networks this version has; asked from :mod:`napari_mrsynth.systems` if not given.
        """
        try:
            bundle = self.get(bundle_id)
        except BundleError as error:
            return [str(error)]
        problems = []
        try:
            content = read_verified(bundle.folder, bundle.card.weights_sha256)
            count = count_parameters(read_header(content, str(bundle.folder)))
            if count != bundle.card.parameters:
                problems.append(f"The card says {bundle.card.parameters} parameters, the file has {count}.")
        except BundleError as error:
            problems.append(str(error))
        try:
            require_network(bundle.card, _networks() if networks is None else networks)
        except BundleError as error:
            problems.append(str(error))
        return problems

    @cached_property
    def _found(self) -> tuple[dict[str, Bundle], list[Problem]]:
        bundles: dict[str, Bundle] = {}
        problems: list[Problem] = []
        for folder in self._folders():
            try:
                bundle = Bundle.open(folder)
            except BundleError as error:
                problems.append(Problem(folder, error))
                continue
            bundles.setdefault(bundle.card.id, bundle)
        return bundles, problems

    def _folders(self) -> list[Path]:
        """Return every sub-folder of the roots that has a card, hidden ones left out."""
        folders: dict[Path, None] = {}
        for root in self.roots:
            try:
                children = sorted(root.iterdir())
            except OSError:
                continue  # a root that is not there, or not readable, holds no models
            for child in children:
                if not child.name.startswith(".") and (child / CARD_FILE).is_file():
                    folders.setdefault(child.resolve())
        return list(folders)


def _generality(card: Card) -> tuple[int, int, bool]:
    """Rank models; where two make as much from as much, a lesion generator, which only translates, yields."""
    return len(card.outputs), len(card.inputs), card.system != "lesion-scans"


def _networks() -> Collection[str]:
    import_module("napari_mrsynth.systems")  # its import registers the networks, by name only
    from napari_mrsynth.networks import registry

    return registry.names()
