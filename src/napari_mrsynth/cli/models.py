"""``mrsynth models``: which models are here, what a card says, and whether the weights are what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from napari_mrsynth.cli._output import Report, pairs, table

Identifier = Annotated[str, typer.Argument(metavar="ID", help="The model's id, or its folder.")]


def list_models() -> Report:
    """List the models that are here, and the folders that were searched."""
    from napari_mrsynth.bundles import BundleStore

    store = BundleStore()
    bundles = [store.get(card.id) for card in store.cards()]
    payload = {
        "models": [
            {
                "id": bundle.card.id,
                "title": bundle.card.title,
                "system": bundle.card.system,
                "inputs": bundle.card.inputs,
                "outputs": bundle.card.outputs,
                "parameters": bundle.card.parameters,
                "licence": bundle.card.licence,
                "folder": bundle.folder,
            }
            for bundle in bundles
        ],
        "problems": [{"folder": problem.folder, "message": problem.message} for problem in store.problems],
        "searched": store.roots,
    }
    rows = [(b.card.id, ", ".join(b.card.inputs), ", ".join(b.card.outputs), b.card.title) for b in bundles]
    lines = [table(rows, ("model", "reads any of", "makes", "title")) if rows else "There is no model here."]
    lines += [f"Not usable: {problem.folder}: {problem.message}" for problem in store.problems]
    lines += ["Searched:", *(f"  {root}" for root in store.roots)]
    return Report(payload, "\n".join(lines))


def show(bundle: Identifier) -> Report:
    """Show a model's card: what it makes, how it was trained and measured, its licences and limits."""
    from napari_mrsynth.bundles import BundleStore

    found = BundleStore().get(bundle)
    card = found.card.as_dict()
    return Report({**card, "folder": found.folder}, f"{_readable(card)}\nfolder: {found.folder}")


def verify(
    bundles: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Models to check; all of them if none is named."),
    ] = None,
) -> Report:
    """Check the weights against the card's SHA-256; exits with 2 where something is wrong."""
    from napari_mrsynth.bundles import BundleStore

    store = BundleStore()
    problems: dict[str, list[str]] = {}
    if not bundles:
        problems = {str(problem.folder): [problem.message] for problem in store.problems}
    for name in bundles or [card.id for card in store.cards()]:
        problems[name] = store.verify(name)
    sound = not any(problems.values())
    payload = {
        "ok": sound,
        "models": [{"id": name, "ok": not found, "problems": found} for name, found in problems.items()],
    }
    text = pairs({name: "; ".join(found) or "sound" for name, found in problems.items()})
    return Report(payload, text or "There is no model to verify.", 0 if sound else 2)


def _readable(card: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(dict(card), sort_keys=False, allow_unicode=True, width=100)).rstrip()
