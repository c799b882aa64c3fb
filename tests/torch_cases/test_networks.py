"""The networks in PyTorch: published sizes, no dead layer, stride, reach, export."""

from tests.conftest import require_framework

torch = require_framework("torch")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from rs_workbench.backends import load_predictor  # noqa: E402
from rs_workbench.card import write_card  # noqa: E402
from rs_workbench.errors import ModelError, UsageError  # noqa: E402
from rs_workbench.networks import describe, find_network  # noqa: E402
from tests.backends.contract import make_batch, make_card  # noqa: E402
from tests.backends.torch_models import save  # noqa: E402
from tests.torch_cases.structural_reach import structural_reach  # noqa: E402
from tests.workbench.network_cases import (  # noqa: E402
    BOUNDED,
    CBRR_LEVELS,
    CBRR_TRAINED,
    PUBLISHED,
    SHAPES,
    TRAINED,
    UNBOUNDED,
    WRONG,
    label,
    moved,
    touched,
)
from torch_cases.models import unet  # noqa: E402
from torch_cases.models.deeplabv3 import Pyramid  # noqa: E402
from torch_cases.models.twin import load_keras_weights  # noqa: E402

DEAD = 1e-10  # a gradient below is one of rounding
MARGIN = 1e-4  # of the spread of the scores: rounding


def build(name, n_bands=3, n_classes=4, **options):
    torch.manual_seed(0)
    return find_network(name, "torch")(n_bands, n_classes, **options)


def predictor(net):
    def predict(batch):
        with torch.inference_mode():
            return net.eval()(torch.from_numpy(batch)).numpy()

    return predict


# Size


@pytest.mark.parametrize(("name", "form", "n_bands", "n_classes", "parameters"), PUBLISHED)
def test_parameters_are_those_published(name, form, n_bands, n_classes, parameters):
    with torch.device("meta"):
        net = build(name, n_bands, n_classes, **(getattr(unet, form) if form else {}))
    assert describe(net).parameters == parameters


def test_parts_of_cbrr_unet_are_those_published():
    with torch.device("meta"):
        net = build("cbrr_unet", 6, 5)
    for part, published in CBRR_LEVELS.items():
        assert tuple(describe(level).parameters for level in getattr(net, part)) == published
    assert describe(net).trainable == CBRR_TRAINED


@pytest.mark.parametrize(("name", "options", "n_bands", "n_classes", "size"), SHAPES, ids=label)
def test_one_score_a_class_and_pixel(name, options, n_bands, n_classes, size):
    net = build(name, n_bands, n_classes, **options)
    scores = predictor(net)(make_batch(2, *size, n_bands=n_bands))
    assert scores.shape == (2, n_classes, *size)
    assert scores.min() < 0 or scores.max() > 1  # no probabilities


@pytest.mark.parametrize(("name", "options", "sentence"), WRONG, ids=label)
def test_wrong_options_are_answered(name, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        build(name, **options)


# Nothing is dead


def gradients(net, *, batch=4, size=64):
    """Largest gradient of each parameter; in float64, so that rounding stays far below DEAD."""
    torch.manual_seed(1)
    net = net.double()
    net.zero_grad()
    scores = net(torch.randn(batch, 3, size, size, dtype=torch.float64))
    labels = torch.randint(0, scores.shape[1], (batch, size, size))
    torch.nn.functional.cross_entropy(scores, labels).backward()
    return {k: 0.0 if p.grad is None else float(p.grad.abs().max()) for k, p in named(net)}


def named(net):
    return list(net.named_parameters())


@pytest.mark.parametrize(("name", "options"), TRAINED, ids=label)
def test_every_parameter_learns(name, options):
    found = gradients(build(name, **options).train())
    assert {k: g for k, g in found.items() if g < DEAD} == {}


def test_in_cbrr_unet_only_biases_before_a_norm_do_not_learn():
    net = build("cbrr_unet", width=4)
    idle = [k for k, g in gradients(net.train()).items() if g < DEAD]
    assert idle == [k for k, _ in named(net) if k.endswith(".conv.bias")]
    assert sum(dict(named(net))[k].numel() for k in idle) * 16 == 12_288  # at the course's width
    assert min(gradients(net.eval()).values()) > DEAD  # they are joined to the scores all the same


# Order of linear steps: what was moved changes nothing


def test_cbrr_unet_scores_as_if_the_maps_were_joined_at_full_size():
    net = build("cbrr_unet", width=4).eval()
    maps = {}
    for level, path in enumerate(net.path):
        path.register_forward_hook(lambda _, __, out, level=level: maps.update({level: out}))
    image = torch.randn(1, 3, 40, 56)
    with torch.inference_mode():
        scores = net(image)
        joined = torch.cat([net.enlarge[level](maps[level]) for level in range(6)], dim=1)
        kernel = torch.cat([part.weight for part in net.score], dim=1)
        wanted = torch.nn.functional.conv2d(joined, kernel, net.score[0].bias)
    torch.testing.assert_close(scores, wanted, atol=1e-4, rtol=1e-4)


def test_pyramid_mixes_as_if_the_mean_were_copied_to_every_pixel():
    torch.manual_seed(0)
    pyramid = Pyramid(8, 4, rates=(1, 2, 3), image_pooling=True).eval()
    x = torch.randn(2, 8, 12, 20)
    with torch.inference_mode():
        branches = [pyramid.point(x), *(ring(x) for ring in pyramid.ring)]
        mean = pyramid.mean(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, 12, 20)
        kernel = torch.cat([pyramid.mix.weight, pyramid.mix_mean.weight], dim=1)
        joined = torch.nn.functional.conv2d(torch.cat([*branches, mean], dim=1), kernel)
        torch.testing.assert_close(pyramid(x), pyramid.norm(joined).relu())


# Where tiles may be cut


@pytest.mark.parametrize(("name", "options", "stride", "reach"), BOUNDED, ids=label)
def test_scores_move_with_the_scene_by_the_stride_and_no_less(name, options, stride, reach):
    net = build(name, **options)
    assert net.stride == stride
    strip = {"reach": reach, "stride": stride}
    assert moved(predictor(net), 3, shift=stride, **strip) < MARGIN
    assert moved(predictor(net), 3, shift=stride // 2, **strip) > 1e-2


@pytest.mark.parametrize(("name", "options", "stride", "reach"), BOUNDED, ids=label)
def test_no_score_looks_farther_than_the_reach(name, options, stride, reach):
    net = build(name, **options)
    size = -(-(2 * reach + 3) // stride) * stride
    assert structural_reach(net, n_bands=3, stride=stride, size=size) == reach
    assert reach // 3 < touched(predictor(net), 3, reach=reach, stride=stride) <= reach


@pytest.mark.parametrize(("name", "options"), UNBOUNDED, ids=label)
def test_a_look_at_the_whole_tile_has_no_reach(name, options):
    net = build(name, **options)
    assert structural_reach(net, n_bands=3, stride=net.stride) is None
    assert touched(predictor(net), 3, reach=600, stride=net.stride) > 600


def test_the_probe_grows_until_it_holds_the_reach():
    net = build("unet", width=2, depth=4)
    assert structural_reach(net, n_bands=3, stride=16, size=32) == 107


# Into the workbench


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("unet", {"width": 4}),
        ("unet", {"width": 4, "up": "conv", "norm": "group"}),
        ("cbrr_unet", {"width": 4}),
        ("deeplabv3plus", {"width": 8}),
        ("deeplabv3plus", {"width": 8, "decoder": "fine", "backbone": "resnet18"}),
        ("deeplabv3plus", {"width": 8, "backbone": "torchvision/mobilenet_v2"}),
        ("deeplabv3plus", {"width": 8, "backbone": "smp/resnet18"}),
    ],
    ids=label,
)
def test_exported_it_scores_tiles_of_any_size(name, options, tmp_path):
    net = build(name, **options).eval()
    path = save(net, tmp_path / "net.pt2")
    write_card(path, make_card(stride=net.stride))
    loaded = load_predictor(path, device="cpu", engine="torch").predictor
    for shape in ((1, 64, 64), (3, 32, 96), (2, 160, 48)):
        batch = make_batch(*shape)
        wanted = predictor(net)(batch)
        np.testing.assert_allclose(loaded.predict(batch), wanted, atol=1e-5 * np.ptp(wanted))


# Weights of Keras that do not fit


def keras_like(net):
    """Names and shapes as Keras has them, of a U-Net without norms."""
    axes = {4: (2, 3, 1, 0), 1: (0,)}
    kinds = {"weight": "kernel", "bias": "bias"}
    arrays = {}
    for name, tensor in net.state_dict().items():
        layer, _, kind = name.rpartition(".")
        arrays[f"{layer}/{kinds[kind]}"] = tensor.numpy().transpose(axes[tensor.ndim])
    return arrays


@pytest.fixture
def plain():
    return build("unet", width=2, depth=1, norm="none")


def test_weights_go_to_the_layer_of_their_name(plain):
    arrays = {k: v + 1 for k, v in keras_like(plain).items()}
    load_keras_weights(plain, arrays)
    for key, value in keras_like(plain).items():
        np.testing.assert_array_equal(value, arrays[key])


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("head/bias", None, "the Keras network has no 'head/bias': build both twins"),
        ("extra/kernel", np.zeros(3), "the network here has no 'extra/kernel' of Keras"),
        ("head/bias", np.zeros(3), r"'head/bias'.*shape \(3,\), but here it is \(4,\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(plain, key, value, sentence):
    arrays = keras_like(plain)
    arrays[key] = value
    if value is None:
        del arrays[key]
    with pytest.raises(ModelError, match=sentence):
        load_keras_weights(plain, arrays)
