"""A bundle's README: the card as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_mrsynth.bundles.card import Card


def render_readme(card: Card) -> str:
    """Return a bundle's ``README.md`` (Markdown), made from its card alone."""
    parts = [
        f"# {card.title or card.id}",
        f"> **{card.intended_use}**" if card.intended_use else "",
        card.summary,
        _table(
            ("", ""),
            [
                ("Model", f"`{card.id}`"),
                ("Reads", f"any of {', '.join(card.inputs)}"),
                ("Makes", ", ".join(card.outputs)),
                ("System, network", f"{card.system}, `{card.network['name']}`"),
                ("Voxel size", f"{card.spacing_mm:g} mm"),
                ("Neighbouring slices", f"{card.neighbours} on each side"),
                ("Normalisation", str(card.normalisation["method"])),
                ("Parameters", f"{card.parameters:,}"),
                ("Weights' sha256", f"`{card.weights_sha256}`"),
            ],
        ),
        _section("Where it fails", card.limits),
        _section("Measured", _measured(card.results)),
        _section("Trained on", _training(card.training)),
        _section("Licence", card.licence),
        _section("The data's licences", "\n".join(f"- {line}" for line in card.data_licences)),
        _section("How to cite", card.citation),
        "*Made from `card.yaml`; change that file, not this one.*",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _training(training: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in training.items() if key != "subjects"}
    subjects = training.get("subjects", ())
    rows = [(str(subject["id"]), f"`{str(subject['sha256'])[:16]}…`") for subject in subjects]
    listed = f"{len(rows)} subjects:\n\n{_table(('Subject', 'sha256'), rows)}" if rows else ""
    return "\n\n".join(part for part in (_described(rest), listed) if part)


def _measured(results: Mapping[str, Any]) -> str:
    """Return figures with how they were measured: texts as paragraphs, tables under their names."""
    if not any(isinstance(value, str) for value in results.values()):
        return _described(results)
    parts = [str(value) for value in results.values() if isinstance(value, str)]
    for name, value in results.items():
        if isinstance(value, Mapping):
            parts.append(f"### {name}\n\n{_described(value)}")
    return "\n\n".join(parts)


def _described(data: Mapping[str, Any]) -> str:
    """Return nested plain data as Markdown: rows of mappings as a table, the rest as a list."""
    if data and all(_is_row(value) for value in data.values()):
        columns = list(dict.fromkeys(column for row in data.values() for column in row))
        rows = [
            (str(name), *(_cell(row.get(column, "")) for column in columns)) for name, row in data.items()
        ]
        return _table(("", *columns), rows)
    return "\n".join(_bullets(data, 0))


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and all(not isinstance(item, Mapping | list) for item in value.values())


def _bullets(data: Mapping[str, Any], depth: int) -> list[str]:
    lines = []
    for key, value in data.items():
        if isinstance(value, Mapping):
            lines += [f"{'  ' * depth}- {key}:", *_bullets(value, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}- {key}: {_cell(value)}")
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value).replace("|", "\\|").replace("\n", " ")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
