"""The documentation says what the code does: every option, every card key, every example that can be read."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from napari_mrsynth.bundles import Card
from napari_mrsynth.cli import app

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
PAGES = (CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")))


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands() -> dict[str, list[str]]:
    """Return every subcommand with its options."""
    found: dict[str, list[str]] = {}

    def walk(command, path: str) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{path} {name}".strip())
        if not hasattr(command, "commands"):
            options = [
                option
                for param in command.params
                for option in (*param.opts, *param.secondary_opts)
                if option.startswith("--")
            ]
            found[path] = [option for option in options if option not in {"--json", "--help"}]

    walk(typer.main.get_command(app), "")
    return found


@pytest.mark.parametrize(("command", "options"), commands().items())
def test_every_subcommand_and_option_is_in_the_reference(command, options):
    reference = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    section = reference.partition(f"\n## {command.split()[0]}\n")[2].partition("\n## ")[0]
    assert f"mrsynth {command}" in section
    assert [option for option in options if option not in section] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_exists(page):
    known = commands()
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = re.findall(
        r"^ *mrsynth ((?:(?:models|experiment|dataset) )?[a-z][a-z-]*)(.*)$", text, re.MULTILINE
    )
    shown += re.findall(r"`mrsynth ((?:(?:models|experiment|dataset) )?[a-z][a-z-]*)([^`]*)`", text)
    for command, rest in shown:
        assert command in known
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in {*known[command], "--json", "--help"}, f"{command} {option}"


def test_every_key_of_the_card_is_in_the_reference():
    reference = (DOCS / "reference" / "bundle-card.md").read_text(encoding="utf-8")
    assert [item.name for item in fields(Card) if f"`{item.name}`" not in reference] == []


def test_the_example_configuration_is_a_valid_one(tmp_path):
    from napari_mrsynth.training.config import load_config

    (example,) = blocks("how-to/train.md", "yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(example, encoding="utf-8")
    config = load_config(path, ["optim.steps=100", "run.folder=runs/quick"])
    assert config.data.held_out == ("patient07",)
    assert config.optim.steps == 100


def test_the_python_examples_compile_and_import_what_exists():
    examples = [*blocks("reference/python-api.md", "python"), *blocks("../README.md", "python")]
    assert len(examples) == 3
    for example in examples:
        compile(example, "python-api.md", "exec")
        imports = "\n".join(line for line in example.splitlines() if line.startswith(("from ", "import ")))
        exec(imports, {})
    exec(examples[1], {})
