"""Joyce 2017, section 5.4: a network of one source, its decoder fine-tuned on volumes of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import InputError
from napari_mrsynth.training.adapt import Pace
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.experiments.joyce.experiment import Arm, Experiment, Line
from napari_mrsynth.training.experiments.joyce.fitting import digest_of, fitted, tuned_decoder, tuned_folder
from napari_mrsynth.training.experiments.joyce.plan import QUICK_PATIENTS, Joyce, narrowed
from napari_mrsynth.training.experiments.joyce.repeats import seeded
from napari_mrsynth.training.experiments.joyce.views import Framed
from napari_mrsynth.training.experiments.plan import Part
from napari_mrsynth.training.experiments.scoring import Made, Pair
from napari_mrsynth.training.experiments.summary import Bar, Table
from napari_mrsynth.training.experiments.telling import Teller
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.subjects import find_subjects

PAIR: Pair = (("T1w",), "T2w")
COUNTS = (1, 2, 3)
CLOSED = {1: 0.64, 2: 0.66, 3: 0.69}
"""Share of the untouched network's error that fine-tuning on so many volumes takes away (published)."""

PUBLISHED = {0: "3.990", 1: "1.439", 2: "1.356", 3: "1.227"}
NATIVE = "1.018 (22 volumes)"
SOURCE_FRAME, TARGET_FRAME = (128, 128), (112, 80)
"""Pixels of a slice, at 2 mm, over which the paper takes the mean: of BRATS, and of ISLES."""

PACE = Pace(steps=300, batch=8, crop=96, lr=1e-3)
LONGEST_SECONDS = 300.0


@dataclass(frozen=True)
class Transferred:
    """A network of the source, its decoder fine-tuned on volumes of the target, or a network of these alone.

    Attributes
    ----------
    folder : Path
        Where trainings are kept.
    config : TrainConfig
    teachers : mapping of judged patient to patients
        Of the target's, in the order they are taken; never the judged one.
    count : int
        How many of them are learnt from; 0 leaves the network as it is.
    pace : Pace
    alone : bool
        Whether the network is trained on them alone, from the start.
    frames : (Framed, Framed), optional
        The units in which the source and the target are seen. What is made is brought back from them.
    """

    folder: Path
    config: TrainConfig
    teachers: Mapping[str, tuple[Prepared, ...]]
    count: int
    pace: Pace
    alone: bool = False
    frames: tuple[Framed, Framed] | None = None
    trained: ClassVar[bool] = True

    def taught_by(self, part: Part) -> tuple[Prepared, ...]:
        """Return the patients of the target that are learnt from."""
        return self.teachers[part.judge[0].subject][: self.count]

    def origin(self, part: Part, pairs: Sequence[Pair]) -> Mapping[str, Any]:
        """Return the source's training, the teachers and the pace."""
        seen = {} if self.frames is None else {"target": self.frames[1].name}
        return {
            "source": digest_of(seeded(self.config, part), part.learn, self._seen),
            "teachers": [patient.record()["sha256"] for patient in self.taught_by(part)],
            "pace": asdict(self._pace(part)),
            "alone": self.alone,
            **seen,
        }

    @property
    def _seen(self) -> str:
        return "" if self.frames is None else self.frames[0].name

    def make(self, part: Part, todo: Mapping[Pair, Sequence[Prepared]], tell: Teller) -> Made:
        """Train what is not trained, and synthesise."""
        from napari_mrsynth.systems import load_predictor
        from napari_mrsynth.training.heldout import synthesise

        predictor = load_predictor(self._bundle(part, tell))
        for pair, patients in todo.items():
            for patient in patients:
                seen, brighter = patient, 1.0
                if self.frames is not None:
                    seen, brighter = self.frames[1](patient), self.frames[1].brightness(patient)
                made = synthesise(predictor, seen, [pair], planes=part.planes(patient))
                yield patient, pair, made[pair] / np.float32(brighter)

    def _bundle(self, part: Part, tell: Teller) -> Bundle:
        teachers = self._teachers(part)
        config = seeded(self.config, part)
        if self.alone:
            return fitted(self.folder, config, teachers, report=tell.within(f"{part.name}, alone"))
        source = self._source(part, tell)
        if not teachers:
            return source
        told = tell.within(f"{part.name}, {len(teachers)} volumes")
        return tuned_decoder(self.folder, source, config, teachers, self._pace(part), told)

    def _source(self, part: Part, tell: Teller | None = None) -> Bundle:
        """Return the source's network."""
        told = None if tell is None else tell.within("the source's network")
        learn = part.learn if self.frames is None else [self.frames[0](patient) for patient in part.learn]
        return fitted(self.folder, seeded(self.config, part), learn, self._seen, told)

    def _pace(self, part: Part) -> Pace:
        return replace(self.pace, seed=self.pace.seed + part.repeat)

    def _teachers(self, part: Part) -> Sequence[Prepared]:
        """Return who is learnt from, as they are seen."""
        teachers = self.taught_by(part)
        return teachers if self.frames is None else [self.frames[1](patient) for patient in teachers]

    def seconds(self, part: Part) -> float:
        """Return how long the fine-tuning took; 0 where it has not been done."""
        place = tuned_folder(self.folder, self._source(part), self.taught_by(part), self._pace(part))
        return float(Bundle.open(place).card.results["seconds"]) if place.is_dir() else 0.0


def experiment(joyce: Joyce) -> Experiment:
    """Plan the table: the source with the most patients, and every other one as a target.

    Raises
    ------
    InputError
        If the patients come from one source only.
    """
    source, targets, skipped = _sources(joyce)
    name = _group(source[0])
    config = narrowed(joyce.config(), PAIR[0], (PAIR[1],))
    pace = replace(PACE, seed=config.seed, threads=config.run.threads)
    if joyce.settings.quick:
        pace = replace(pace, steps=12, batch=4, crop=64)
    learnable = {subject.id for subject in find_subjects(joyce.data((*PAIR[0], PAIR[1])))}
    teachers: dict[str, tuple[Prepared, ...]] = {}
    parts = []
    for group, patient in targets:
        ordered = sorted(targets, key=lambda target: target[0] != group)  # its own source first
        teachers[patient.subject] = tuple(
            p for _, p in ordered if p.subject in learnable and p.person != patient.person
        )
        parts.append(Part(patient.subject, tuple(source), (patient,), joyce.every))

    seen = joyce.settings.folder / "framed"
    frames = (Framed(seen, SOURCE_FRAME), Framed(seen, TARGET_FRAME))

    def maker(count: int, *, alone: bool = False, framed: bool = False) -> Transferred:
        return Transferred(joyce.trainings, config, teachers, count, pace, alone, frames if framed else None)

    def enough(count: int) -> Any:
        return lambda part: len(teachers[part.judge[0].subject]) >= count

    arms = (
        Arm("as-is", (PAIR,), maker(0)),
        *(Arm(f"decoder-{count}", (PAIR,), maker(count), enough(count)) for count in COUNTS),
        Arm("alone-3", (PAIR,), maker(3, alone=True), enough(3)),
        Arm("framed-as-is", (PAIR,), maker(0, framed=True)),
        *(
            Arm(f"framed-decoder-{count}", (PAIR,), maker(count, framed=True), enough(count))
            for count in COUNTS
        ),
    )
    groups = list(dict.fromkeys(group for group, _ in targets))
    lines = []
    for group in groups:
        where = f"{group}/"
        lines.append(Line(f"{group}: network of {name} as it is", "as-is", PAIR, (PUBLISHED[0],), where))
        lines += [
            Line(
                f"{group}: decoder fine-tuned on {count}",
                f"decoder-{count}",
                PAIR,
                (PUBLISHED[count],),
                where,
            )
            for count in COUNTS
        ]
        lines.append(Line(f"{group}: trained on 3 alone", "alone-3", PAIR, (NATIVE,), where))
        title = f"{group}, normalised as in the paper"
        lines.append(Line(f"{title}: as it is", "framed-as-is", PAIR, (PUBLISHED[0],), where))
        lines += [
            Line(
                f"{title}: fine-tuned on {count}", f"framed-decoder-{count}", PAIR, (PUBLISHED[count],), where
            )
            for count in COUNTS
        ]
    protocol = joyce.protocol(
        parts,
        f"The network learns {PAIR[1]} from {PAIR[0][0]} on {len(source)} patients of {name} and is judged "
        f"on patients of {', '.join(groups)}, each in turn. What its decoder is fine-tuned on are other "
        "patients of the same source, then of the other sources but the first; patients of the split "
        f"`test` are judged and never learnt from. {pace.steps} steps of {pace.batch} slices. The paper: "
        "BRATS to ISLES.",
        _fine_tuning(pace),
        "“Trained on 3 alone” is a network trained from the start on the three volumes alone, for as many "
        "steps as the first network; the paper prints its network of all 22 training volumes there.",
        f"The paper divides a volume by its mean over the whole of it, trimmed to {_pixels(SOURCE_FRAME)} "
        f"pixels in its first source and {_pixels(TARGET_FRAME)} in its second: the same brain is then "
        "brighter in the first, for it fills less of the frame, and the network has to learn that. In the "
        f"lines “normalised as in the paper” {name} and the targets are seen so, their brains with means of "
        f"{_range(frames[0], source)} and {_range(frames[1], [patient for _, patient in targets])}. Errors "
        "are brought back, and counted as the others.",
        folded=False,
    )

    def bars(tables: Mapping[str, Table]) -> list[Bar]:
        found = []
        for group, (kind, said) in product(groups, (("", ""), ("framed-", ", normalised as in the paper"))):
            table = tables[f"{group}/"]
            start = table.spread(f"{kind}as-is", PAIR[0][0], PAIR[1], "nmse").mean
            for count in COUNTS:
                error = table.spread(f"{kind}decoder-{count}", PAIR[0][0], PAIR[1], "nmse").mean
                found.append(
                    Bar(
                        f"{group}{said}: fine-tuned on {count}, at least {CLOSED[count]:.0%} of the error "
                        "taken away",
                        error <= (1 - CLOSED[count]) * start,
                        f"{start:.4f} to {error:.4f}: {1 - error / start:.0%}",
                        (f"{kind}decoder-{count}", f"{kind}as-is"),
                    )
                )
        asked = {method for table in tables.values() for method in table.methods if "decoder" in method}
        makers = [arm.maker for arm in arms if isinstance(arm.maker, Transferred) and arm.method in asked]
        if makers:
            longest = max(made.seconds(part) for made in makers for part in parts)
            found.append(
                Bar(
                    "Fine-tuning takes at most 5 minutes",
                    longest <= LONGEST_SECONDS,
                    f"{longest:.0f} s at longest",
                )
            )
        return found

    return Experiment(
        "joyce-transfer",
        "From one source of data to another (Joyce 2017, section 5.4)",
        protocol,
        ("published, BRATS to ISLES",),
        tuple(parts),
        arms,
        tuple(lines),
        bars,
        tuple(skipped),
        folded=False,
    )


def _sources(joyce: Joyce) -> tuple[list[Prepared], list[tuple[str, Prepared]], list[tuple[str, str]]]:
    """Return the largest source's patients, the others' with their source, and who cannot be used."""
    data = joyce.data((*PAIR[0], PAIR[1]))
    subjects = list(find_subjects(data))
    names = [subject.id.partition("/")[0] for subject in subjects]
    if len(set(names)) < 2 or any("/" not in subject.id for subject in subjects):
        raise InputError(
            f"The patients of {data.root} come from one source ({', '.join(sorted(set(names))[:3])}).",
            hint="Put each source's patients into a folder of its own, and the folders into one data folder.",
        )
    largest = max(dict.fromkeys(names), key=names.count)
    learn = [subject for subject, name in zip(subjects, names, strict=True) if name == largest]
    rest = [subject for subject, name in zip(subjects, names, strict=True) if name != largest]
    try:
        tested = find_subjects(replace(data, split="test"))
    except InputError:  # a folder without a test split
        tested = ()
    rest += [subject for subject in tested if subject.id.partition("/")[0] in {*names} - {largest}]
    source, skipped = prepare_all(learn[:QUICK_PATIENTS] if joyce.settings.quick else learn, data)
    targets, more = prepare_all(sorted(rest, key=lambda subject: subject.id), data)
    if not source or not targets:
        raise InputError(
            f"No patient of {'the other sources' if source else largest} has {', '.join(data.contrasts)}.",
            hint="See what each has with `mrsynth study FOLDER`.",
        )
    return source, [(_group(patient), patient) for patient in targets], [*skipped, *more]


def _fine_tuning(pace: Pace) -> str:
    """Say in what fine-tuning differs from the paper's training and from the page's others."""
    from napari_mrsynth.systems.anysubset.adaptation import OBJECTIVE

    return (
        "Decoders are fine-tuned with a cost that is neither the paper's nor the configuration's, with which "
        f"the other networks of this page are trained: {OBJECTIVE.absolute:g} times the absolute and "
        f"{OBJECTIVE.squared:g} times the squared error, inside the brain, in standard deviations of the "
        "contrast; with one input its other terms do not count. Slices are mirrored and turned at random, "
        f"the rate falls from {pace.lr:g} along a cosine, and the weights are averaged (decay 0.9). The "
        f"published {', '.join(f'{share:.0%}' for share in CLOSED.values())} are to be read with that in "
        "mind."
    )


def _pixels(frame: tuple[int, int]) -> str:
    return f"{frame[0]}x{frame[1]}"


def _range(frame: Framed, patients: Sequence[Prepared]) -> str:
    """Say how bright brains are in a frame's units."""
    means = [frame.brightness(patient) for patient in patients]
    return f"{min(means):.1f} to {max(means):.1f}"


def _group(patient: Prepared) -> str:
    return patient.subject.partition("/")[0]
