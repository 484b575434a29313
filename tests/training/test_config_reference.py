"""The reference of the configuration is what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_reference_of_the_configuration_is_up_to_date():
    render = runpy.run_path(str(DOCS / "make_config_reference.py"))["render"]
    page = (DOCS / "reference" / "training-config.md").read_text(encoding="utf-8")
    assert page == render(), "run: python docs/make_config_reference.py"


def test_every_setting_is_described():
    page = (DOCS / "reference" / "training-config.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []
