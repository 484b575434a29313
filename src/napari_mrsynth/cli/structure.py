"""``mrsynth structure``: the structural feature map of a scan on its own grid, or one from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._options import refuse_unused
from napari_mrsynth.cli._output import Report, absolute, follow

if TYPE_CHECKING:
    from napari_mrsynth.structure import StructureMap, StructureSettings


def structure(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the map is written, as NIfTI.")],
    image: Annotated[
        Path | None, typer.Argument(metavar="IMAGE", help="A scan: a file or a DICOM folder.")
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(metavar="B", help="Threshold, 0 to 1; lower is more edges. By default the contrast's."),
    ] = None,
    blur: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Smooth first, with a Gaussian of this standard deviation."),
    ] = None,
    expand: Annotated[
        int | None,
        typer.Option(metavar="P", help="Pixels by which the brain grows, else 5; no edges outside it."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lesion labels: their edges are left out.")
    ] = None,
    mask_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the expanded brain mask.")
    ] = None,
    random: Annotated[
        bool, typer.Option("--random", help="Draw the map of one axial slice instead of reading a scan.")
    ] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", help="With --random: what to draw from.")] = None,
    attempts: Annotated[
        int | None,
        typer.Option(metavar="M", help="With --random: how many maps are drawn at most; by default 50."),
    ] = None,
    bundle: Annotated[
        str | None, typer.Option(metavar="ID", help="With --random: the model that draws.")
    ] = None,
) -> Report:
    """Write a scan's edges as a 0/1 map, with a JSON file beside it that says how it was made."""
    from napari_mrsynth.errors import ConfigError, OutputError
    from napari_mrsynth.io import read_image
    from napari_mrsynth.structure import StructureSettings, default_beta, map_volume
    from napari_mrsynth.structure.saving import checked_target, save_labels

    target = checked_target(absolute(out))
    mask_target = None if mask_out is None else checked_target(absolute(mask_out))
    if target == mask_target:
        raise OutputError(f"--out and --mask-out are both “{target}”.", hint="Give two names.")
    if random:
        of_scans = {"--beta": beta, "--blur": blur, "--expand": expand, "--labels": labels}
        why = "Leave them out, or give IMAGE in place of --random."
        refuse_unused(of_scans, "with --random: no scan is read", why)
    else:
        of_draws = {"--seed": seed, "--attempts": attempts, "--bundle": bundle}
        why = "Leave them out, or give --random together with --seed N in place of IMAGE."
        refuse_unused(of_draws, "without --random", why)
    drawing = random and seed is not None
    if drawing == (image is not None) or random != drawing or (seed is not None) != drawing:
        raise ConfigError(
            "There is either no source of the map, or more than one.",
            hint="Give IMAGE, or --random together with --seed N.",
        )
    if image is None:
        return _drawn(seed or 0, attempts, bundle, target, mask_target)
    scan = read_image(absolute(image), kind="scan")
    threshold = default_beta(scan.contrast) if beta is None else beta
    usual = StructureSettings(threshold)
    settings = StructureSettings(
        threshold, usual.blur_mm if blur is None else blur, usual.expand if expand is None else expand
    )
    lesions = None if labels is None else read_image(absolute(labels), kind="labels")
    made = follow(map_volume(scan, settings, lesions))
    written = save_labels(target, made.structure, made.provenance)
    mask_written = None if mask_target is None else save_labels(mask_target, made.brain, made.provenance)
    notes = [*scan.notes, *made.notes]
    payload = {
        "output": written,
        "mask": mask_written,
        "image": absolute(image),
        "contrast": scan.contrast,
        **settings.as_dict(),
        "shape": scan.grid.shape,
        "edge_voxels": int(made.structure.array.sum()),
        "edge_share_of_brain": made.edge_share,
        "notes": notes,
    }
    return Report(payload, _text(made, settings, written, mask_written, notes))


def _drawn(
    seed: int, attempts: int | None, bundle: str | None, target: Path, mask_target: Path | None
) -> Report:
    """Write a random map, and the brain mask that was drawn with it."""
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.generation import RandomAnatomy, anatomy_bundle
    from napari_mrsynth.generation.random import ATTEMPTS
    from napari_mrsynth.structure.saving import save_labels

    drawer = RandomAnatomy(anatomy_bundle(BundleStore(), bundle))
    found = drawer.draw(seed, attempts=ATTEMPTS if attempts is None else attempts)
    made = found.structure_map()
    written = save_labels(target, made.structure, made.provenance)
    mask_written = None if mask_target is None else save_labels(mask_target, made.brain, made.provenance)
    record = found.anatomy.record
    payload = {
        "output": written,
        "mask": mask_written,
        "seed": seed,
        "bundle": drawer.card.id,
        "shape": found.anatomy.grid.shape,
        "spacing_mm": drawer.card.spacing_mm,
        "attempts": found.attempts,
        "refusals": found.refusals,
        "outline_error": record["outline_error"],
        "accepted": record["accepted"],
        "edge_voxels": int(made.structure.array.sum()),
        "edge_share_of_brain": made.edge_share,
        "notes": found.anatomy.notes,
    }
    lines = [
        f"Random structure map: {written}",
        *([f"Brain mask: {mask_written}"] if mask_written is not None else []),
        f"Seed {seed}, {found.attempts} drawn, outline off by {record['outline_error']:.1%} of the pixels.",
        *(f"Note: {note}" for note in found.anatomy.notes),
    ]
    return Report(payload, "\n".join(lines))


def _text(
    made: StructureMap, settings: StructureSettings, written: Path, mask: Path | None, notes: list[str]
) -> str:
    lines = [
        f"Structure map: {written}",
        *([f"Brain mask: {mask}"] if mask is not None else []),
        f"{made.edge_share:.1%} of the brain is edge (beta {settings.beta:g}, blur {settings.blur_mm:g} mm, "
        f"brain expanded by {settings.expand} pixels).",
        *(f"Note: {note}" for note in notes),
    ]
    return "\n".join(lines)
