"""A transform as a layer: on arrays, and in front of an ONNX network that maps a scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from scipy.io import savemat

from rs_workbench.card import Band, LegendClass, ModelCard, plain_card, read_card, write_card
from rs_workbench.errors import ModelError, OutputError, UsageError
from rs_workbench.infer import infer_scene
from rs_workbench.raster_scene import describe_raster
from rs_workbench.spectra.cubes import open_cube
from rs_workbench.spectra.mnf import fit_mnf
from rs_workbench.spectra.onnx_fold import fold_into_onnx
from rs_workbench.spectra.pca import fit_pca
from rs_workbench.spectra.pointwise import card_bands, fold_transform
from rs_workbench.spectra.scenes import transform_scene, write_scene
from rs_workbench.standin_spectra import draw_spectra
from tests.backends.onnx_models import write_deep, write_pointwise
from tests.spectra.drawn import cube_with_gaps, write_scene_with_gaps


def run_layer(layer, values: np.ndarray) -> np.ndarray:
    scaled = (values - layer.mean[:, None, None]) / layer.std[:, None, None]
    found = np.tensordot(layer.weights, scaled.astype(np.float32), 1)
    return found + layer.bias[:, None, None]


@pytest.mark.parametrize("fit", [fit_pca, fit_mnf])
def test_layer_gives_components_of_variance_one(fit) -> None:
    cube, array, valid = cube_with_gaps()
    transform = fit(cube).first(3)
    found = run_layer(fold_transform(transform), array)
    scale = np.sqrt(transform.eigenvalues[:3])[:, None, None]
    np.testing.assert_allclose(found, transform.apply(array) / scale, atol=2e-5)
    np.testing.assert_allclose(found[:, valid].std(axis=1), 1, rtol=2e-3)


def test_layer_scales_components_as_a_card_does_and_fills_with_zero() -> None:
    cube, array, _ = cube_with_gaps()
    transform = fit_mnf(cube).first(3)
    mean, std = np.array([1.0, -2.0, 0.5]), np.array([3.0, 2.0, 1.0])
    layer = fold_transform(transform, component_mean=mean, component_std=std)
    wanted = (transform.apply(array) - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(run_layer(layer, array), wanted, atol=2e-5)
    np.testing.assert_allclose(layer.bias, 0, atol=1e-6)


def test_layer_has_the_shapes_of_both_frameworks() -> None:
    layer = fold_transform(fit_pca(cube_with_gaps()[0]).first(2))
    assert layer.torch_weight.shape == (2, 6, 1, 1)
    assert layer.keras_kernel.shape == (1, 1, 6, 2)
    np.testing.assert_array_equal(layer.keras_kernel[0, 0].T, layer.torch_weight[..., 0, 0])


def test_wrong_scaling_is_told() -> None:
    transform = fit_pca(cube_with_gaps()[0]).first(2)
    with pytest.raises(UsageError, match=r"gives 2 components: got 3 means and 2"):
        fold_transform(transform, component_mean=[1, 2, 3])
    with pytest.raises(UsageError, match="standard deviation of 0"):
        fold_transform(transform, component_std=[1, 0])


def component_model(folder: Path, scene_path: Path) -> tuple[Path, ModelCard]:
    """A network on two components, with a card as training writes it."""
    read = open_cube(scene_path).read()
    spectra = read.values[:2, read.valid]
    scaling = zip(spectra.mean(axis=1), spectra.std(axis=1), strict=True)
    card = ModelCard(
        name="tiny",
        bands=tuple(
            Band(name=f"MNF {k + 1}", mean=mean + 0.1, std=std)
            for k, (mean, std) in enumerate(scaling)
        ),
        classes=tuple(
            LegendClass(value=k, name=f"class {k}", color=f"#00000{k}") for k in range(3)
        ),
        tile=32,
        stride=4,
        reach=16,
    )
    path = write_deep(folder / "components.onnx", 2, 3)
    write_card(path, card)
    return path, card


@pytest.mark.slow
def test_folded_model_maps_the_raw_scene_as_the_model_maps_the_components(
    tmp_path: Path,
) -> None:
    write_scene_with_gaps(tmp_path / "raw.tif")
    cube = open_cube(tmp_path / "raw.tif")
    transform = fit_mnf(cube.with_bands([6, 1, 2, 4])).first(2)
    components = transform_scene(cube, tmp_path / "mnf.tif", transform)
    model, card = component_model(tmp_path, components)
    folded = fold_into_onnx(model, transform, tmp_path / "folded.onnx")
    onnx.checker.check_model(onnx.load(folded), full_check=True)
    read = read_card(folded)
    assert [band.name for band in read.bands] == list(transform.band_names)
    assert (read.classes, read.stride, read.reach) == (card.classes, card.stride, card.reach)
    infer_scene(components, tmp_path / "one.tif", model=model)
    infer_scene(tmp_path / "raw.tif", tmp_path / "two.tif", model=folded)
    one, other = (
        open_cube(describe_raster(tmp_path / f"{name}.tif")).read() for name in ("one", "two")
    )
    np.testing.assert_array_equal(one.valid, other.valid)
    assert one.valid.sum() > 500
    assert len(np.unique(one.values[:, one.valid])) > 1
    same = one.values == other.values
    assert same[:, one.valid].mean() > 0.995  # float32: a near tie may turn


@pytest.mark.slow
def test_a_matlab_cube_written_as_a_scene_is_mapped(tmp_path: Path) -> None:
    drawn = draw_spectra(48, 40, n_bands=12)
    pixels = drawn.cube.clip(0).astype(np.int16)
    savemat(tmp_path / "cube.mat", {"cube": pixels.transpose(1, 2, 0)})
    cube = open_cube(tmp_path / "cube.mat", wavelengths=drawn.wavelengths)
    scene, _ = write_scene(cube, tmp_path / "scene.tif")
    weights = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)
    model = write_pointwise(tmp_path / "m.onnx", weights)
    write_card(model, plain_card("matlab", 12, 3))
    report = infer_scene(scene, tmp_path / "map.tif", model=model)
    assert any("no georeference" in warning for warning in report.warnings)
    mapped = open_cube(describe_raster(tmp_path / "map.tif")).read().values[0]
    wanted = np.tensordot(weights, pixels.astype(np.float32), 1).argmax(axis=0)
    assert (mapped == wanted).mean() > 0.999


def test_models_that_cannot_be_folded_are_told(tmp_path: Path) -> None:
    write_scene_with_gaps(tmp_path / "raw.tif")
    transform = fit_pca(open_cube(tmp_path / "raw.tif"))
    bare = write_deep(tmp_path / "bare.onnx", 2, 3)
    with pytest.raises(ModelError, match=r"'bare\.onnx' has no card"):
        fold_into_onnx(bare, transform, tmp_path / "out.onnx")
    model, card = component_model(tmp_path, tmp_path / "raw.tif")
    with pytest.raises(ModelError, match=r"takes 2 bands .* transform of 6 components"):
        fold_into_onnx(model, transform, tmp_path / "out.onnx")
    with pytest.raises(OutputError, match=r"bare\.onnx' exists already"):
        fold_into_onnx(model, transform.first(2), bare)
    write_card(model, card.model_copy(update={"fill": 1.0}))
    with pytest.raises(ModelError, match="fills gaps with 1"):
        fold_into_onnx(model, transform.first(2), tmp_path / "out.onnx")
    assert not list(tmp_path.glob("out*"))


def test_card_bands_say_name_wavelength_and_scaling() -> None:
    transform = fit_pca(cube_with_gaps()[0])
    layer = fold_transform(transform)
    first = card_bands(transform, layer)[0]
    assert (first.name, first.wavelength) == ("band 1", 450)
    assert (first.mean, first.std) == (layer.mean[0], layer.std[0])
