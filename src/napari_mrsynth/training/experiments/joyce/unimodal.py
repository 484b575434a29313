"""Joyce 2017, table 1: one contrast from another, by the proposed network and by what came before it."""

from __future__ import annotations

from collections.abc import Mapping

from napari_mrsynth.systems.direct.network import LOCATION
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.experiments.joyce.experiment import Arm, Experiment, Line
from napari_mrsynth.training.experiments.joyce.makers import Plain, Trained
from napari_mrsynth.training.experiments.joyce.plan import Joyce, narrowed
from napari_mrsynth.training.experiments.joyce.views import Located
from napari_mrsynth.training.experiments.scoring import Pair
from napari_mrsynth.training.experiments.summary import Bar, Table
from napari_mrsynth.training.shipped import shipped_configurations

SOURCE, TARGETS = "T1w", ("T2w", "FLAIR")
PAIRS: tuple[Pair, ...] = tuple(((SOURCE,), target) for target in TARGETS)
TITLES = {
    "dedis": "DEDIS (encoder-decoder)",
    "lsdn": "LSDN (location-sensitive network)",
    "forest": "RF (random forest)",
    "linear": "linear regression",
    "proposed": "proposed",
}
PUBLISHED = {  # ISLES, BRATS
    ("dedis", "T2w"): ("2.265 ± 0.88", "7.289 ± 7.80"),
    ("lsdn", "T2w"): ("1.282 ± 0.68", "3.259 ± 0.85"),
    ("forest", "T2w"): ("1.153 ± 0.56", "3.407"),
    ("proposed", "T2w"): ("1.018 ± 0.47", "2.213 ± 0.70"),
    ("dedis", "FLAIR"): ("1.956 ± 0.78", "7.589 ± 8.08"),
    ("lsdn", "FLAIR"): ("0.961 ± 0.39", "2.446 ± 1.21"),
    ("forest", "FLAIR"): ("0.986", "2.382"),
    ("proposed", "FLAIR"): ("0.822 ± 0.34", "1.689 ± 1.02"),
}


def experiment(joyce: Joyce) -> Experiment:
    """Plan the table."""
    parts, skipped = joyce.folds()

    def proposed(pair: Pair) -> TrainConfig:
        return narrowed(joyce.config(), pair[0], (pair[1],))

    def dedis(pair: Pair) -> TrainConfig:
        return narrowed(joyce.config(shipped_configurations()["direct/dedis"]), pair[0], (pair[1],))

    def lsdn(pair: Pair) -> TrainConfig:
        return narrowed(
            joyce.config(shipped_configurations()["direct/lsdn"]), (*pair[0], *LOCATION), (pair[1],)
        )

    located = Located(joyce.settings.folder / "located")
    arms = (
        Arm("linear", PAIRS, Plain(lambda: joyce.settings.baseline("linear"))),
        Arm("forest", PAIRS, Plain(lambda: joyce.settings.forest)),
        Arm("dedis", PAIRS, Trained(joyce.trainings, dedis)),
        Arm("lsdn", PAIRS, Trained(joyce.trainings, lsdn, located)),
        Arm("proposed", PAIRS, Trained(joyce.trainings, proposed)),
    )
    lines = tuple(
        Line(title, method, pair, PUBLISHED.get((method, pair[1]), ("", "")))
        for pair in PAIRS
        for method, title in TITLES.items()
    )
    protocol = joyce.protocol(
        parts,
        "DEDIS and LSDN are re-made in the manner of their papers (Sevetlidis 2016, Van Nguyen 2015) with "
        "layer tables of this project; RF is a random forest on patch features in the manner of REPLICA "
        "(Jog 2017). Linear regression is not in the paper.",
    )
    return Experiment(
        "joyce-unimodal",
        "One contrast from another (Joyce 2017, table 1)",
        protocol,
        ("published, ISLES", "published, BRATS"),
        parts,
        arms,
        lines,
        bars,
        skipped,
    )


def bars(tables: Mapping[str, Table]) -> list[Bar]:
    """Check that the proposed network makes smaller errors than every method the paper compares it with."""
    table = tables[""]
    found = []
    for _, target in PAIRS:
        errors = {method: table.spread(method, SOURCE, target, "nmse").mean for method in TITLES}
        others = {method: error for method, error in errors.items() if method != "proposed"}
        best = min(others, key=lambda method: others[method])
        found.append(
            Bar(
                f"{SOURCE} to {target}: the proposed network has the smallest error",
                errors["proposed"] < others[best],
                f"{errors['proposed']:.4f} against {others[best]:.4f} ({TITLES[best]})",
                tuple(TITLES),
            )
        )
    return found
