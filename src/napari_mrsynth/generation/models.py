"""Which installed models a disease needs: what makes its scans, what judges them, what draws anatomy."""

from __future__ import annotations

import re

from napari_mrsynth.bundles import Bundle, BundleStore, Card
from napari_mrsynth.bundles.store import ROOTS_VARIABLE
from napari_mrsynth.errors import BundleError
from napari_mrsynth.lesions import LABEL_SETS, LabelSet

GENERATOR, SEGMENTER, ANATOMY = "lesion-scans", "segmenter", "anatomy"
_CONFIGS = {
    GENERATOR: "lesiongan/scans/configs",
    SEGMENTER: "segmenter/configs",
    ANATOMY: "lesiongan/anatomy/configs",
}


def generator_bundle(store: BundleStore, classes: LabelSet, identity: str | None = None) -> Bundle:
    """Return the model that makes scans with the lesions of a disease.

    Parameters
    ----------
    store : BundleStore
    classes : LabelSet
        The disease.
    identity : str, optional
        The bundle's id or folder; by default the first installed one of the disease.

    Raises
    ------
    BundleError
        If none is installed, or the one that was named is another kind or of another disease.
    """
    return _for_disease(store, GENERATOR, f"that makes scans of {_said(classes)}", classes, identity)


def segmenter_bundle(store: BundleStore, classes: LabelSet, identity: str | None = None) -> Bundle:
    """Return the model that finds the lesions of a disease (arguments and errors as `generator_bundle`)."""
    return _for_disease(store, SEGMENTER, f"that finds the lesions of {_said(classes)}", classes, identity)


def anatomy_bundle(store: BundleStore, identity: str | None = None) -> Bundle:
    """Return the model that draws random anatomy.

    Raises
    ------
    BundleError
        If none is installed, or the one that was named is another kind.
    """
    if identity is not None:
        return _of_kind(store.get(identity), ANATOMY)
    found = [card for card in store.cards() if card.system == ANATOMY]
    if not found:
        raise _none(store, "that draws random anatomy", ANATOMY)
    return store.get(found[0].id)


def classes_of(card: Card) -> frozenset[int]:
    """Return the lesion classes that a generator or a segmenter knows, by number."""
    return frozenset(int(value) for value in card.network.get("classes", ()))


def disease_of(card: Card) -> LabelSet:
    """Return the disease whose lesions a generator or a segmenter knows.

    Raises
    ------
    BundleError
        If its classes are those of no known disease.
    """
    for classes in LABEL_SETS.values():
        if classes_of(card) == classes.values and _may_be_of(card, classes):
            return classes
    raise BundleError(
        f"The classes of {card.id!r}, {sorted(classes_of(card))}, are those of no disease that is known.",
        hint=f"Known: {'; '.join(f'{each.title} {each.described()}' for each in LABEL_SETS.values())}.",
    )


def _for_disease(
    store: BundleStore, system: str, what: str, classes: LabelSet, identity: str | None
) -> Bundle:
    if identity is not None:
        bundle = _of_kind(store.get(identity), system)
        known = classes_of(bundle.card)
        if not classes.values <= known:
            raise BundleError(
                f"The model {bundle.card.id!r} knows the classes {sorted(known)};"
                f" {classes.title} has {sorted(classes.values)}.",
                hint=f"Choose a model {what}.",
            )
        if not _may_be_of(bundle.card, classes):
            raise BundleError(
                f"The model {bundle.card.id!r} is of another disease than {_said(classes)}.",
                hint=f"Choose a model {what}.",
            )
        return bundle
    for card in store.cards():
        if card.system == system and classes_of(card) == classes.values and _may_be_of(card, classes):
            return store.get(card.id)
    raise _none(store, what, system)


def _may_be_of(card: Card, classes: LabelSet) -> bool:
    """Whether a card names this disease or none: class 1 is one thing in MS and another in a stroke."""
    words = set(re.split(r"[^a-z0-9]+", f"{card.id} {card.title}".lower()))
    named = {identity for identity, each in LABEL_SETS.items() if words & _words_of(each)}
    return not named or classes.id in named


def _words_of(classes: LabelSet) -> set[str]:
    """Return the words by which cards name a disease."""
    return {
        classes.id,
        classes.title.split(" (")[0].lower(),
        classes.title.split(" ")[-1].strip("()").lower(),
    }


def _of_kind(bundle: Bundle, system: str) -> Bundle:
    if bundle.card.system != system:
        raise BundleError(
            f"The model {bundle.card.id!r} is of the system {bundle.card.system!r}, not {system!r}.",
            hint="See `mrsynth models list`.",
        )
    return bundle


def _none(store: BundleStore, what: str, system: str) -> BundleError:
    folders = ", ".join(str(root) for root in store.roots)
    return BundleError(
        f"No model {what} is installed (looked in {folders}).",
        hint=f"Train one (`mrsynth train` with a configuration of napari_mrsynth/systems/{_CONFIGS[system]})"
        f" or fetch one, and name the folder it lies in in {ROOTS_VARIABLE}.",
    )


def _said(classes: LabelSet) -> str:
    return classes.title.split(" (")[0].lower() if classes.id != "ms" else "multiple sclerosis"
