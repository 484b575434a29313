"""How the dock looks: one style sheet made from napari's theme, so that dark and light both read well."""

from __future__ import annotations

from napari.utils.theme import get_theme

ACCENT = "#3b74d9"
_HUES = {
    "reference": (84, 132, 220),
    "same": (64, 160, 90),
    "resampled": (214, 148, 40),
    "aligned": (150, 110, 214),
    "missing": (64, 160, 90),
    "off": (84, 132, 220),
    "in use": (128, 128, 128),
    "empty": (128, 128, 128),
    "ready": (84, 132, 220),
    "blocked": (214, 148, 40),
    "busy": (84, 132, 220),
    "done": (64, 160, 90),
    "failed": (214, 72, 72),
}


def style_sheet(theme_name: str) -> str:
    """Return the style sheet of the dock for a napari theme."""
    theme = get_theme(theme_name)
    red, green, blue = theme.text.as_rgb_tuple()[:3]

    def text(alpha: float) -> str:
        return f"rgba({red}, {green}, {blue}, {alpha})"

    chips = "\n".join(
        f'QLabel[chip="{name}"] {{ background: rgba({r}, {g}, {b}, 0.24); padding: 0px 7px; '
        f"border: 1px solid rgba({r}, {g}, {b}, 0.55); border-radius: 8px; font-size: 11px; "
        "min-height: 16px; max-height: 16px; }"
        for name, (r, g, b) in _HUES.items()
    )
    messages = "\n".join(
        f'QFrame#message[state="{name}"] {{ background: rgba({r}, {g}, {b}, 0.16); '
        f"border-left: 3px solid rgb({r}, {g}, {b}); border-radius: 2px; }}"
        for name, (r, g, b) in _HUES.items()
    )
    plain = f"rgb{theme.foreground.as_rgb_tuple()[:3]}"
    field = f"rgb{theme.primary.as_rgb_tuple()[:3]}"
    return f"""
QLabel#heading {{ font-size: 11px; font-weight: 600; color: {text(0.62)}; padding-top: 4px; }}
QLabel#patient {{ font-size: 14px; font-weight: 600; }}
QLabel#muted, QLabel#hint {{ font-size: 11px; color: {text(0.68)}; }}
QLabel#link {{ font-size: 11px; color: {text(0.68)}; }}
QLabel#headline {{ font-size: 13px; }}
QFrame#rule {{ background: {text(0.14)}; max-height: 1px; border: none; }}
QFrame#welcome {{ border: 1px dashed {text(0.35)}; border-radius: 6px; }}
QFrame#row {{ border-radius: 4px; }}
QFrame#row:hover {{ background: {text(0.05)}; }}
QToolButton#plain {{ background: transparent; border: none; padding: 1px 3px; }}
QToolButton#plain:hover, QToolButton#plain:focus {{ background: {text(0.14)}; border-radius: 3px; }}
QToolButton#plain::menu-indicator {{ image: none; width: 0px; }}
QPlainTextEdit {{ background: {field}; border: none; border-radius: 2px; padding: 1px; }}
QPlainTextEdit:disabled {{ color: {text(0.5)}; }}
QToolButton#drop::menu-indicator {{ image: none; width: 0px; }}
QToolButton#drop {{ background: {plain}; border-radius: 2px; padding: 5px 8px; }}
QToolButton#pick {{ background: {plain}; border-radius: 2px; padding: 4px 7px; }}
QToolButton#drop:hover, QToolButton#pick:hover {{ background: {text(0.22)}; }}
QToolButton#drop:disabled {{ color: {text(0.4)}; }}
QPushButton#fold {{ background: transparent; text-align: left; padding: 2px 0px; color: {text(0.8)}; }}
QToolButton#pick:checked {{ background: {ACCENT}; color: white; }}
QPushButton#small {{ padding: 1px 8px; font-size: 11px; min-height: 16px; }}
QPushButton#go {{ background: {ACCENT}; color: white; font-weight: 600; padding: 6px 10px; }}
QPushButton#go:hover {{ background: #4a84ea; }}
QPushButton#go:disabled {{ background: {text(0.12)}; color: {text(0.4)}; }}
QPushButton:focus, QToolButton:focus, QComboBox:focus {{ outline: none; border: 1px solid {ACCENT}; }}
QComboBox#doubtful {{ border: 1px solid rgb(214, 148, 40); }}
{chips}
{messages}
"""
