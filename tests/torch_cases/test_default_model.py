"""The bundled model's case: its split, its chips, and that it learns."""

from tests.conftest import require_framework

torch = require_framework("torch")

from dataclasses import replace  # noqa: E402
from itertools import product  # noqa: E402

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import pytest  # noqa: E402

from rs_workbench.card import read_card  # noqa: E402
from rs_workbench.errors import SceneError  # noqa: E402
from torch_cases import default_model  # noqa: E402
from torch_cases.dunes import tiles as dunes_tiles  # noqa: E402
from torch_cases.dunes.chips import (  # noqa: E402
    class_chances,
    draw_chips,
    places_by_class,
    scale_bands,
    turn,
    vary_light,
)
from torch_cases.dunes.pictures import colored, telling_tiles  # noqa: E402
from torch_cases.dunes.tiles import (  # noqa: E402
    IGNORED,
    LEGEND,
    N_CLASSES,
    Tile,
    are_neighbours,
    class_counts,
    class_of_code,
    groups_of_neighbours,
    read_tile,
    split_tiles,
    tile_names,
)
from torch_cases.models.reach import structural_reach  # noqa: E402
from torch_cases.models.unet import UNet  # noqa: E402

SMALL = replace(default_model.SMOKE, device="cpu")


@pytest.fixture
def dunes(data_folder):
    return data_folder / "dunes"


def some_tiles():
    rng = np.random.default_rng(0)
    label_map = np.kron(rng.integers(0, 3, (12, 12)), np.ones((8, 8), int)).astype(np.uint8)
    label_map[:20] = IGNORED
    image = rng.integers(0, 256, (3, 96, 96)).astype(np.uint8)
    image[0] = np.where(label_map == IGNORED, 0, 80 * label_map)  # red tells the class
    return (Tile("0_0_a", image, label_map), Tile("608_0_a", image[..., ::-1], label_map[:, ::-1]))


def test_every_code_goes_into_one_class():
    codes = [code for *_, merged in LEGEND for code in merged]
    assert sorted(codes) == list(range(1, 12))
    assert class_of_code()[0] == IGNORED
    assert all(class_of_code()[code] < N_CLASSES for code in codes)


def test_tiles_that_touch_are_one_group():
    names = ["0_0_a", "608_608_a", "1824_608_a", "1216_1216_a", "6080_0_a"]
    groups = groups_of_neighbours(names)
    assert sorted(map(len, groups)) == [1, 4]
    assert ("6080_0_a",) in groups


@pytest.mark.data
def test_no_tile_touches_a_tile_of_another_part(dunes):
    parts = split_tiles(dunes)
    training, validation, held_out = vars(parts).values()
    assert sorted(training + validation + held_out) == sorted(tile_names(dunes))
    for one, other in ((training, validation), (training, held_out), (validation, held_out)):
        assert not any(are_neighbours(a, b) for a, b in product(one, other))


@pytest.mark.data
def test_each_class_is_in_each_part(dunes):
    counts = np.array([class_counts(dunes, names) for names in vars(split_tiles(dunes)).values()])
    assert (counts / counts.sum(axis=0) > 0.1).all()


@pytest.mark.data
def test_a_missing_tile_is_named(dunes):
    with pytest.raises(SceneError, match="tile '1_2_a' lacks its image or its label"):
        read_tile(dunes, "1_2_a")


def test_missing_data_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("RSW_DATA", str(tmp_path))
    with pytest.raises(SceneError, match=f"no dunes tiles in '{tmp_path}/dunes': set RSW_DATA"):
        dunes_tiles.data_folder()


def test_chips_are_repeatable_and_hold_image_and_label_together():
    tiles = some_tiles()
    places = places_by_class(tiles, 3, step=1)
    images, label_maps = draw_chips(tiles, places, 6, side=32, seed=1)
    again, _ = draw_chips(tiles, places, 6, side=32, seed=1)
    assert np.array_equal(images, again)
    assert (images.shape, label_maps.shape) == ((6, 3, 32, 32), (6, 32, 32))
    for image, label_map in zip(images, label_maps, strict=True):
        medians = [np.median(image[0][label_map == index]) for index in range(3)]
        assert medians == sorted(medians)


def test_rare_classes_are_drawn_more_often_than_their_share():
    tiles = some_tiles()
    tiles[0].label_map[40:] = 2
    places = places_by_class(tiles[:1], 3, step=1)
    counts = np.array([len(found.tile) for found in places])
    assert class_chances(places)[0] > 2 * counts[0] / counts.sum()
    assert np.allclose(class_chances(places, power=1), counts / counts.sum())


def test_turning_keeps_pixels_and_labels_together():
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    label_map = image[0].astype(np.uint8)
    seen = set()
    for seed in range(40):
        turned, labels = turn(image, label_map, np.random.default_rng(seed))
        assert np.array_equal(turned[0], labels)
        seen.add(labels.tobytes())
    assert len(seen) == 8


def test_light_varies_within_8_bits():
    image = np.full((3, 8, 8), 120, np.uint8)
    varied = [vary_light(image, np.random.default_rng(seed)).mean() for seed in range(20)]
    assert np.std(varied) > 5
    assert vary_light(np.full((3, 8, 8), 250), np.random.default_rng(0)).max() <= 255


def test_pixels_without_data_are_zero_to_the_network():
    image = np.array([[[10, 20]], [[30, 50]]])
    labels = np.array([[0, IGNORED]])
    scaled = scale_bands(image, labels, np.array([8.0, 20.0]), np.array([2.0, 5.0]))
    assert scaled.tolist() == [[[1, 0]], [[2, 0]]]


def test_the_tiles_shown_are_those_with_most_classes():
    one, other = some_tiles()
    plain = one._replace(label_map=np.zeros_like(one.label_map))
    assert telling_tiles([plain, one, plain, other], 2) == [1, 3]
    assert colored(np.array([[0, IGNORED]], np.uint8)).tolist() == [
        [[0x2B, 0x6F, 0xB5], [255] * 3]
    ]


def test_every_parameter_gets_a_gradient():
    net = UNet(3, N_CLASSES, width=4)
    x = torch.randn(2, 3, 64, 64)
    labels = torch.randint(0, N_CLASSES, (2, 64, 64))
    default_model.loss_of(net, x, labels, SMALL).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_pixels_without_label_do_not_move_the_loss():
    net = UNet(3, N_CLASSES, width=4).eval()
    labels = torch.full((1, 64, 64), IGNORED)
    labels[0, :8] = 2
    x = torch.randn(1, 3, 64, 64)
    other = labels.clone()
    x_other = x.clone()
    x_other[..., 60:, 60:] += 9  # further than the reach from the labelled rows
    first = default_model.loss_of(net, x, labels, SMALL)
    assert first.item() == pytest.approx(
        default_model.loss_of(net, x_other, other, SMALL).item(), rel=1e-6
    )


@pytest.mark.parametrize(("depth", "reach"), [(1, 9), (2, 23), (3, 51)])
def test_the_reach_of_the_structure_bounds_that_of_a_network(depth, reach):
    net = UNet(3, N_CLASSES, width=2, depth=depth).eval()
    assert structural_reach(net, n_bands=3, stride=2**depth) == reach
    image = torch.randn(1, 3, 192, 64)
    changed = image.clone()
    changed[:, :, :96] += torch.randn(1, 3, 96, 64)
    difference = (net(image) - net(changed)).abs().amax(dim=(0, 1, 3)).detach()
    assert int(difference.nonzero().max()) < 96 + reach


@pytest.mark.data
def test_the_case_runs_from_tiles_to_onnx(dunes, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RSW_DATA", str(dunes.parent))
    s = replace(SMALL, out=tmp_path)
    path = default_model.main(s)
    assert "held-out: mIoU" in capsys.readouterr().out
    card = read_card(path)
    assert (card.stride, card.reach) == (8, 51)
    assert np.sum(card.held_out.confusion) > 0
    pictures = sorted(found.name for found in tmp_path.glob("*.png"))
    assert pictures == ["default_model_held_out.png", "default_model_sample_scene.png"]
    assert card.name in (tmp_path / "default_model.md").read_text(encoding="utf-8")

    net = default_model.load_checkpoint(s)
    x = torch.randn(2, 3, 72, 40)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert np.allclose(scores, net(x).detach().numpy(), atol=1e-4)


def test_it_learns():
    s = replace(SMALL, epochs=12, chips=32, rate=1e-2)
    tiles = some_tiles()
    mean, std = np.full(3, 100.0), np.full(3, 60.0)
    data = default_model.Data(None, tiles, tiles, mean, std, mean, mean)
    source = data, places_by_class(tiles, 3)
    net = default_model.build_model(s)
    average, steps = (
        default_model.running_average(net),
        default_model.optimizer_and_schedule(net, s),
    )
    losses = [
        default_model.train_epoch(net, average, steps, source, e, s) for e in range(s.epochs)
    ]
    assert losses[-1] < 0.6 * losses[0]
