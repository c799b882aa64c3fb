"""Figures and numbers of docs/spectra.md, from Salinas A."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import click
import numpy as np

from benchmarks.measure import print_table
from rs_workbench.card import LegendClass
from rs_workbench.samples import fetch
from rs_workbench.spectra.bad_bands import find_bad_bands
from rs_workbench.spectra.cubes import open_cube
from rs_workbench.spectra.matlab import read_matlab_labels
from rs_workbench.spectra.mnf import components_above_noise, fit_mnf
from rs_workbench.spectra.panels import save_plot, stretch
from rs_workbench.spectra.plots import plot_components, plot_samples
from rs_workbench.spectra.purity import check_purity
from rs_workbench.spectra.region_growing import grow_regions
from rs_workbench.spectra.superpixels import find_superpixels, spread_labels

IMAGES = Path(__file__).parents[1] / "docs" / "images"
CLASSES = tuple(
    LegendClass(value=value, name=name, color=color)
    for value, name, color in (
        (1, "broccoli", "#3f7d3a"),
        (10, "corn, senesced", "#e0b03c"),
        (11, "romaine, 4 weeks", "#c9e2b3"),
        (12, "romaine, 5 weeks", "#8fc06a"),
        (13, "romaine, 6 weeks", "#3b9ab2"),
        (14, "romaine, 7 weeks", "#7b5ea7"),
    )
)
PER_CLASS, DRAWS = 5, 10
MAX_ANGLE, MAX_PIXELS, SIZE = 0.04, 150, 25
SHOWN = 4
TRUE_COLOURS = (29, 19, 9)  # about 640, 550, 460 nm


def draw_few(labels: np.ndarray, seed: int) -> np.ndarray:
    """Label five pixels of each class, as a person would who has five minutes."""
    rng = np.random.default_rng(seed)
    few = np.full(labels.shape, 255, np.uint8)
    for k in range(len(CLASSES)):
        places = rng.permutation(np.argwhere(labels == k))[:PER_CLASS]
        few[tuple(places.T)] = k
    return few


@click.command()
@click.option("--images", type=Path, default=IMAGES, help="where the figures go")
def main(images: Path) -> None:
    folder = fetch("salinas_a")
    whole = open_cube(folder / "salinasA_corrected.mat")
    choice = find_bad_bands(whole)
    cube = whole.with_bands(choice.kept)
    codes = read_matlab_labels(folder / "salinasA_gt.mat")
    labels = np.full(codes.shape, 255, np.uint8)
    for k, one in enumerate(CLASSES):
        labels[codes == one.value] = k
    print(choice)
    start = perf_counter()
    transform = fit_mnf(cube)
    seconds = perf_counter() - start
    used = components_above_noise(transform.eigenvalues)
    print(f"MNF of {cube.n_bands} bands, {transform.n_pixels} pixels: {seconds:.1f} s")
    print(f"{used} components have as much signal as noise")
    read = cube.read()
    components = transform.first(used).apply(read.values)
    first = plot_components(transform, components[:SHOWN], read.valid, used=used)
    save_plot(first, images / "spectra_mnf.png")

    segments = find_superpixels(components, read.valid, size=SIZE)
    rows = []
    for seed in range(DRAWS):
        few = draw_few(labels, seed)
        grown = grow_regions(
            read.values, read.valid, few, max_angle=MAX_ANGLE, max_pixels=MAX_PIXELS
        )
        spread = spread_labels(segments, few)
        rows += [
            (name, made, check_purity(made, labels, len(CLASSES), seeds=few))
            for name, made in (("regions", grown), ("superpixels", spread.labels))
        ]
        if seed == 0:
            picture = stretch(whole.with_bands(TRUE_COLOURS).read().values, read.valid)
            figure = plot_samples(picture, few, {"regions": grown}, CLASSES)
            save_plot(figure, images / "spectra_few_labels.png")
    table = []
    for name in ("regions", "superpixels"):
        sizes = [int((made != 255).sum()) for n, made, _ in rows if n == name]
        shares = [p.overall for n, _, p in rows if n == name]
        worst = [np.nanmin(p.shares) for n, _, p in rows if n == name]
        table.append(
            [
                name,
                f"{np.median(sizes):.0f}",
                f"{np.median(shares):.1%}",
                f"{min(shares):.1%}",
                f"{np.median(worst):.1%}",
            ]
        )
    print(f"{PER_CLASS} labelled pixels a class, {DRAWS} draws:")
    heads = ["samples by", "pixels, median", "pure, median", "pure, worst draw", "worst class"]
    print_table(heads, table)


if __name__ == "__main__":
    main()
