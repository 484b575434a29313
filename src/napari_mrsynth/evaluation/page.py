"""The report of a comparison: one self-contained HTML page, with its figure inside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path

from napari_mrsynth import __version__
from napari_mrsynth.evaluation.comparison import TITLES, Comparison
from napari_mrsynth.evaluation.drawing import png
from napari_mrsynth.evaluation.metrics import METRICS
from napari_mrsynth.evaluation.words import how_measured, interval, shown
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.provenance import WARNING

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; max-width: 1100px; margin: 24px auto; color: #1c1c1c; }
h1 { font-size: 20px; } h2 { font-size: 16px; margin-top: 24px; }
table { border-collapse: collapse; margin: 8px 0; } th, td { padding: 3px 10px; text-align: right; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 1px solid #888; }
small { color: #666; display: block; } .mark { background: #fff1c4; padding: 6px 10px; }
img { max-width: 100%; }
"""


def write_page(path: Path, comparisons: Sequence[Comparison], *, title: str = "Prediction and truth") -> Path:
    """Write the report; nothing is fetched when it is opened.

    Raises
    ------
    OutputError
        If matplotlib, which draws the figure, is not installed, or the disk refuses.
    """
    content = page(comparisons, title=title)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return path


def page(comparisons: Sequence[Comparison], *, title: str = "Prediction and truth") -> str:
    """Return the report as HTML."""
    picture = b64encode(png(comparisons)).decode("ascii")
    sections = "".join(_section(comparison) for comparison in comparisons)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p class="mark">Predictions: {escape(WARNING)}</p>'
        f'<img alt="Truth, prediction, difference, joint histogram and error by slice" '
        f'src="data:image/png;base64,{picture}">{sections}'
        f"<p><small>napari-mrsynth {escape(__version__)}</small></p></body></html>\n"
    )


def _section(comparison: Comparison) -> str:
    made_by = comparison.made_by
    origin = ""
    if made_by.get("bundle"):
        origin = (
            f"<p>Made by {escape(str(made_by['bundle']))} from {escape(', '.join(made_by['inputs']))}.</p>"
        )
    header = "".join(f"<th>{escape(TITLES[metric])}</th>" for metric in METRICS)
    rows = "".join(
        f"<tr><td>{name}<small>{scores.voxels:,} voxels</small></td>"
        + "".join(
            f"<td>{shown(metric, getattr(scores, metric))}<small>{interval(metric, scores)}</small></td>"
            for metric in METRICS
        )
        + "</tr>"
        for name, scores in comparison.scores.regions.items()
    )
    said = "".join(f"<li>{escape(line)}</li>" for line in how_measured(comparison))
    places = "".join(
        f"<tr><td>{x:.0f}, {y:.0f}, {z:.0f}</td><td>{place.mae:.4g}</td><td>{place.bias:+.4g}</td></tr>"
        for place in comparison.worst
        for x, y, z in (place.point_mm,)
    )
    return (
        f"<h2>{escape(comparison.name)} against {escape(comparison.truth_name)}</h2>{origin}"
        f"<table><thead><tr><th>region</th>{header}</tr></thead><tbody>{rows}</tbody></table>"
        f"<ul>{said}</ul><h2>Worst places</h2><table><thead><tr><th>R, A, S in mm</th>"
        f"<th>mean absolute error</th><th>mean error</th></tr></thead><tbody>{places}</tbody></table>"
    )
