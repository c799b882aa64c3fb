"""Pictures: the right pixels in them, and files that are whole."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run

import numpy as np

from rs_workbench.card import LegendClass
from rs_workbench.spectra.mnf import fit_mnf
from rs_workbench.spectra.panels import save_plot, stretch, with_gaps
from rs_workbench.spectra.plots import plot_components, plot_purity, plot_samples, plot_spectra
from rs_workbench.spectra.purity import Purity
from tests.spectra.drawn import NANOMETRES, cube_with_gaps

CLASSES = (
    LegendClass(value=1, name="corn", name_zh="玉米", color="#e0b03c"),
    LegendClass(value=2, name="water", color="#2b6fb5"),
)


def test_stretch_cuts_at_percentiles_of_valid_pixels_and_greys_the_rest() -> None:
    values = np.arange(101.0).reshape(1, 1, 101)
    valid = np.ones((1, 101), np.bool_)
    valid[0, 100] = False
    values[0, 0, 100] = np.nan
    picture = stretch(values, valid)[0, :, 0]
    assert picture[0] == 0
    assert picture[99] == 255
    assert picture[100] == 222
    assert (np.diff(picture[:100].astype(int)) >= 0).all()


def test_a_constant_layer_is_drawn_without_a_warning() -> None:
    assert stretch(np.ones((1, 3, 4)), np.ones((3, 4), np.bool_)).max() == 0


def test_components_are_drawn_beside_their_eigenvalues(tmp_path: Path) -> None:
    cube, array, valid = cube_with_gaps()
    transform = fit_mnf(cube)
    figure = plot_components(transform, transform.apply(array)[:2], valid, used=3)
    curve, *panels = figure.axes
    np.testing.assert_allclose(curve.lines[0].get_ydata(), transform.eigenvalues)
    assert [panel.get_title(loc="left") for panel in panels] == ["MNF 1", "MNF 2"]
    path = save_plot(figure, tmp_path / "new" / "a.png")
    assert path.read_bytes()[1:4] == b"PNG"
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_samples_have_the_colours_of_their_classes() -> None:
    picture = np.full((4, 5, 3), 100, np.uint8)
    seeds, made = (np.full((4, 5), 255, np.uint8) for _ in range(2))
    seeds[0, 0] = made[0, 0] = made[0, 1] = 1
    segments = np.repeat([0, 1], [2, 3]) + np.zeros((4, 1), np.int32)
    figure = plot_samples(
        picture, seeds, {"grown": made, "spread": seeds}, CLASSES, segments=segments
    )
    left, middle, right, spread = (axes.images[0].get_array() for axes in figure.axes)
    assert right[0, 1].tolist() == [0x2B, 0x6F, 0xB5]
    assert len(set(map(tuple, right[1:].reshape(-1, 3)))) == 1
    assert left[0, 1].tolist() == [255, 210, 0]
    assert middle[0, 0].tolist() == right[3, 3].tolist()
    titles = [axes.get_title(loc="left") for axes in figure.axes[2:]]
    assert titles == ["grown: 2 pixels", "spread: 1 pixels"]
    assert (spread[0, 0] == right[0, 0]).all()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["water"]


def test_spectra_have_a_gap_where_bands_were_left_out() -> None:
    nm = np.concatenate([np.arange(400, 700, 10.0), np.arange(900, 1000, 10.0)])
    figure = plot_spectra(nm, np.ones((2, len(nm))), CLASSES)
    drawn = figure.axes[0].lines[0].get_ydata()
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [30]
    assert plot_spectra(NANOMETRES, np.ones((2, 6)), CLASSES).axes


def test_a_second_detector_begins_a_line_of_its_own() -> None:
    nm = np.array([700.0, 800, 900, 1000, 850, 950, 1050])
    drawn = plot_spectra(nm, np.ones((2, 7)), CLASSES).axes[0].lines[0]
    assert np.flatnonzero(np.isnan(drawn.get_ydata())).tolist() == [4]
    backward = with_gaps(nm[3::-1], np.arange(4.0))
    assert backward[0].tolist() == [1000, 900, 800, 700]


def test_spread_gets_a_panel_for_each_class_and_bands_are_marked() -> None:
    spectra = np.array([[1.0, 2, 3, np.nan, 5], [2, 2, 2, np.nan, 2]])
    unknown = np.full(5, np.nan)
    figure = plot_spectra(unknown, spectra, CLASSES, spread=spectra / 10, marked=[5, 2])
    large, *small = figure.axes
    assert [axes.get_title(loc="left") for axes in small] == ["corn", "water"]
    assert large.get_xlabel() == "band"
    assert [text.get_text() for text in large.texts] == ["2", "5"]
    names = [text.get_text() for text in large.get_legend().get_texts()]
    assert names[1:] == ["water", "2 chosen bands"]
    shaded = np.concatenate([path.vertices for path in small[0].collections[0].get_paths()])
    assert shaded[:, 1].max() == 5.5
    assert figure.get_size_inches()[0] * figure.dpi <= 1600


def test_purity_names_shares_and_classes_without_pixels(tmp_path: Path) -> None:
    figure = plot_purity(Purity(np.array([4, 0]), np.array([3, 0])), CLASSES)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["75% of 4 px", "none"]
    assert figure.axes[0].get_title(loc="left") == "pure: 75.0% of all"
    save_plot(figure, tmp_path / "p.png")


def test_no_state_of_matplotlib_is_touched() -> None:
    code = (
        "import sys, numpy as np\n"
        "from rs_workbench.spectra.plots import plot_spectra\n"
        "plot_spectra(np.arange(5.0), np.ones((0, 5)), ())\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
