"""Draw maps from many seeds with the shipped model: drawings that each takes, share of a brain that is edge.

Run it as ``python benchmarks/random_anatomy.py [--seeds N]``.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.generation import RandomAnatomy, anatomy_bundle


def main() -> None:
    """Print the figures of the first seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    count = parser.parse_args().seeds
    drawer = RandomAnatomy(anatomy_bundle(BundleStore()), "cpu")
    drawer.draw(0)
    began = time.perf_counter()
    found = [drawer.draw(seed) for seed in range(count)]
    each = (time.perf_counter() - began) / count
    attempts = [one.attempts for one in found]
    passed = np.array([one.anatomy.record["accepted"] for one in found])
    made = [one.structure_map() for one in found]
    shares = np.array([one.edge_share for one in made])
    areas = [int(np.count_nonzero(one.brain.array)) for one in made]
    maps = np.stack([one.structure.array.ravel() > 0 for one in made]).astype(np.float64)
    edges = maps.sum(axis=1)
    alike = 2 * (maps @ maps.T) / (edges[:, None] + edges)
    print(f"{drawer.card.id}, seeds 0 to {count - 1}: {each * 1000:.0f} ms each")
    print(f"first map passes the filter: {np.mean(passed & (np.array(attempts) == 1)):.1%}")
    print(f"passes within 50: {passed.mean():.1%}; {np.mean(attempts):.1f} each, at most {max(attempts)}")
    print(f"edge in brain: median {np.median(shares):.1%}, above 40 % in {np.mean(shares > 0.4):.1%}")
    print(f"brain: {np.mean(areas):.0f} pixels, from {min(areas)} to {max(areas)}")
    print(f"F1 between two seeds' maps: mean {np.mean(alike[~np.eye(count, dtype=bool)]):.2f}")


if __name__ == "__main__":
    main()
