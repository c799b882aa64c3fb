from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rs_workbench.backends import onnx_backend
from rs_workbench.card import Band, read_card, write_card
from rs_workbench.errors import MissingDependencyError, ModelError, UnsafeModelError
from tests.backends import onnx_models
from tests.backends.contract import N_BANDS, N_CLASSES, BackendContract, make_batch, make_card

EYE = np.eye(3, dtype=np.float32)


class _OnnxContract(BackendContract):
    module = "rs_workbench.backends.onnx_backend"

    def write_pointwise(self, folder, weights, activation=None):
        return onnx_models.write_pointwise(folder / "pointwise.onnx", weights, activation)

    def write_deep(self, folder, n_bands, n_classes):
        return onnx_models.write_deep(folder / "deep.onnx", n_bands, n_classes)


class TestOpenvino(_OnnxContract):
    engine = "openvino"


class TestOnnxruntime(_OnnxContract):
    engine = "onnxruntime"


@pytest.fixture(params=["openvino", "onnxruntime"])
def engine(request):
    return request.param


def load(path, card=None, engine="openvino", device="cpu"):
    return onnx_backend.load_predictor(path, card, device=device, engine=engine)


@pytest.mark.parametrize("n_bands", [1, 3, 12])
@pytest.mark.parametrize("with_card", [True, False])
def test_channels_last_is_turned(tmp_path, engine, n_bands, with_card):
    weights = np.arange(4 * n_bands, dtype=np.float32).reshape(4, n_bands)
    path = onnx_models.write_pointwise(tmp_path / "nhwc.onnx", weights, layout="NHWC")
    predictor = load(path, make_card(n_bands) if with_card else None, engine)
    batch = make_batch(2, 5, 9, n_bands)
    expected = np.einsum("kb,nbhw->nkhw", weights, batch)
    np.testing.assert_allclose(predictor.predict(batch), expected, rtol=1e-5, atol=1e-4)


def test_channels_last_of_fixed_size(tmp_path, engine):
    size = (1, 8, 12)
    path = onnx_models.write_pointwise(tmp_path / "nhwc.onnx", EYE, size=size, layout="NHWC")
    predictor = load(path, None, engine)
    assert predictor.fixed_size == (8, 12)
    batch = make_batch(3, 8, 12)
    np.testing.assert_allclose(predictor.predict(batch), batch, atol=1e-6)


def test_card_settles_the_layout(tmp_path):
    """Three bands of 3 x 5 px: the card alone can tell."""
    path = onnx_models.write_pointwise(tmp_path / "m.onnx", np.ones((2, 5)), size=(1, 3, 4))
    assert load(path).card.n_bands == 4
    assert load(path, make_card(5, 2)).card.n_bands == 5


def test_fixed_batch_of_one_is_looped(tmp_path, engine):
    path = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4, size=(1, 16, 24))
    predictor = load(path, make_card(), engine)
    batch = make_batch(3, 16, 24)
    scores = predictor.predict(batch)
    assert scores.shape == (3, 4, 16, 24)
    with pytest.raises(ModelError, match=r"16 x 24 px only, but got 32 x 32 px.*--tile 16"):
        predictor.predict(make_batch(1, 32, 32))


def test_fixed_batch_of_two_is_refused(tmp_path):
    path = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4, size=(2, 16, 24))
    with pytest.raises(ModelError, match=r"d\.onnx.*batches of 2 tiles only"):
        load(path)


def test_bare_model_gets_a_plain_card(tmp_path, engine):
    path = onnx_models.write_deep(tmp_path / "bare.onnx", 6, 5)
    card = load(path, None, engine).card
    assert (card.name, card.n_bands, card.n_classes) == ("bare", 6, 5)


def test_unknown_number_of_scores_is_found_by_trial(tmp_path, engine):
    path = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4)
    proto = onnx.load(path)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(proto, path)
    assert load(path, None, engine).card.n_classes == 4
    with pytest.raises(ModelError, match=r"gives 4 classes, but its card names 7"):
        load(path, make_card(n_classes=7), engine)


def test_both_engines_agree(tmp_path):
    path = onnx_models.write_deep(tmp_path / "d.onnx", N_BANDS, N_CLASSES)
    batch = make_batch(2, 64, 64)
    one, other = (load(path, engine=e).predict(batch) for e in ("openvino", "onnxruntime"))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_scores_do_not_depend_on_the_rest_of_the_batch(tmp_path, engine):
    predictor = load(onnx_models.write_deep(tmp_path / "d.onnx", 3, 4), None, engine)
    batch = make_batch(5, 64, 64)
    together = predictor.predict(batch)
    for i in (4, 0, 2):
        np.testing.assert_array_equal(predictor.predict(batch[i : i + 1])[0], together[i])


def test_another_process_gets_the_same_bits(tmp_path, engine):
    """A second load stands for the run that resumes."""
    path = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4)
    batch = make_batch(2, 64, 64)
    first = load(path, None, engine).predict(batch)
    np.testing.assert_array_equal(load(path, None, engine).predict(batch), first)


def test_unknown_operator_is_refused(tmp_path):
    node = helper.make_node("Evil", ["image"], ["scores"], domain="com.example")
    shape = ["n", 3, "h", "w"]
    path = onnx_models.save(tmp_path / "evil.onnx", [node], {}, feed=shape, result=shape)
    with pytest.raises(ModelError, match=r"evil\.onnx.*'Evil' of 'com\.example'"):
        load(path)


def test_unknown_operator_in_a_branch_is_refused(tmp_path):
    def branch(name, domain):
        node = helper.make_node("Neg", ["image"], [name], domain=domain)
        return helper.make_graph([node], name, [], [helper.make_empty_tensor_value_info(name)])

    nodes = [
        helper.make_node(
            "If", ["flag"], ["scores"], then_branch=branch("a", ""), else_branch=branch("b", "bad")
        )
    ]
    shape = ["n", 3, "h", "w"]
    path = onnx_models.save(
        tmp_path / "if.onnx", nodes, {"flag": np.array(True)}, feed=shape, result=shape
    )
    with pytest.raises(ModelError, match=r"'Neg' of 'bad'"):
        load(path)


def external(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "big.onnx"
    return onnx_models.write_deep(
        path, 3, 4, save_as_external_data=True, location="big.data", size_threshold=64
    )


def test_weights_beside_the_model(tmp_path, engine):
    path = external(tmp_path)
    inside = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4)
    batch = make_batch(1, 16, 16)
    expected = load(inside, None, engine).predict(batch)
    np.testing.assert_allclose(load(path, None, engine).predict(batch), expected, atol=1e-6)
    write_card(path, make_card())
    assert read_card(path) == make_card()
    np.testing.assert_allclose(load(path, None, engine).predict(batch), expected, atol=1e-6)


def test_missing_weights_are_named(tmp_path):
    path = external(tmp_path)
    (path.parent / "big.data").unlink()
    with pytest.raises(ModelError, match=r"'big\.data', which is not there"):
        load(path)


@pytest.mark.parametrize("location", ["../big.data", "/etc/passwd", "sub/../../big.data", ""])
def test_weights_outside_the_folder_are_refused(tmp_path, location):
    path = external(tmp_path)
    (path.parent / "big.data").rename(tmp_path / "big.data")
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UnsafeModelError, match=r"big\.onnx.*outside its own folder"):
        load(path)


def test_link_out_of_the_folder_is_refused(tmp_path):
    path = external(tmp_path)
    data = path.parent / "big.data"
    data.rename(tmp_path / "elsewhere.data")
    data.symlink_to(tmp_path / "elsewhere.data")
    with pytest.raises(UnsafeModelError, match=r"'big\.data', outside its own folder"):
        load(path)


@pytest.mark.parametrize(
    ("feed", "result", "words"),
    [
        (["n", 3, "h"], ["n", 3, "h"], r"one input.*image \(\?, 3, \?\)"),
        (["n", 3, "h", "w"], ["n", 3], r"gives: scores \(\?, 3\)"),
        (["n", "b", "h", "w"], ["n", 3, "h", "w"], r"how many bands"),
    ],
)
def test_other_shapes_are_refused(tmp_path, feed, result, words):
    node = helper.make_node("Identity", ["image"], ["scores"])
    path = onnx_models.save(tmp_path / "odd.onnx", [node], {}, feed=feed, result=result)
    with pytest.raises(ModelError, match=r"odd\.onnx.*" + words):
        load(path)


def test_other_pixel_types_are_refused(tmp_path):
    node = helper.make_node("Cast", ["image"], ["scores"], to=TensorProto.FLOAT)
    shape = ["n", 3, "h", "w"]
    path = onnx_models.save(
        tmp_path / "odd.onnx", [node], {}, feed=shape, result=shape, dtype=TensorProto.UINT8
    )
    with pytest.raises(ModelError, match="takes uint8 pixels"):
        load(path)


def test_scores_smaller_than_the_tile_are_refused(tmp_path, engine):
    kernel = np.ones((2, 3, 3, 3), dtype=np.float32)
    node = helper.make_node("Conv", ["image", "kernel"], ["scores"])
    path = onnx_models.save(
        tmp_path / "valid.onnx",
        [node],
        {"kernel": kernel},
        feed=["n", 3, "h", "w"],
        result=["n", 2, "h2", "w2"],
    )
    predictor = load(path, None, engine)
    with pytest.raises(ModelError, match=r"scores of 14 x 18 px for a tile of 16 x 20 px"):
        predictor.predict(make_batch(1, 16, 20))


def test_size_the_network_cannot_take(tmp_path, engine):
    """Sum of two paths that differ in size unless the tile is a multiple of 2."""
    nodes = [
        helper.make_node("MaxPool", ["image"], ["low"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["low", "", "scales"], ["high"], mode="nearest"),
        helper.make_node("Add", ["image", "high"], ["scores"]),
    ]
    shape = ["n", 3, "h", "w"]
    arrays = {"scales": np.array([1, 1, 2, 2], dtype=np.float32)}
    path = onnx_models.save(tmp_path / "even.onnx", nodes, arrays, feed=shape, result=shape)
    predictor = load(path, None, engine)
    assert predictor.predict(make_batch(1, 6, 8)).shape == (1, 3, 6, 8)
    with pytest.raises(ModelError, match=r"even\.onnx.*7 x 9 px"):
        predictor.predict(make_batch(1, 7, 9))
    assert predictor.predict(make_batch(1, 6, 8)).shape == (1, 3, 6, 8)


def test_cuda_without_cuda(tmp_path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime has CUDA here")
    path = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4)
    with pytest.raises(MissingDependencyError, match=r"'cuda:0'.*onnxruntime-gpu"):
        load(path, device="cuda:0")


def test_out_of_memory_is_known_by_its_words():
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

    full = "Exception during initialization: std::bad_alloc"
    assert onnx_backend.is_out_of_memory(RuntimeException(full))
    assert onnx_backend.is_out_of_memory(Fail("BFCArena: Failed to allocate memory for 9 bytes"))
    assert onnx_backend.is_out_of_memory(RuntimeError("bad allocation"))
    assert not onnx_backend.is_out_of_memory(RuntimeException("Non-zero status code"))
    assert not onnx_backend.is_out_of_memory(ValueError("out of memory"))


def test_deepness_keys(tmp_path):
    path = onnx_models.write_deep(tmp_path / "d.onnx", 3, 4)
    bands = tuple(Band(name=n, mean=51.0, std=25.5) for n in "rgb")
    card = make_card().model_copy(
        update={"bands": bands, "pixel_size": 0.5, "tile": 256, "stride": 4, "reach": 32}
    )
    write_card(path, card)
    props = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert props["model_type"] == '"Segmentor"'
    assert props["resolution"] == "50.0"
    assert props["tile_size"] == props["tiles_size"] == "256"
    assert props["tiles_overlap"] == "25"
    assert props["class_names"].startswith('{"0": "class 0", "1": "class 1"')
    assert props["standardization_mean"] == "[0.2, 0.2, 0.2]"
    assert props["standardization_std"] == "[0.1, 0.1, 0.1]"
