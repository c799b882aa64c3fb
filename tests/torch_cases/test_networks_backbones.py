"""Backbones by name in PyTorch: strides taken out, bands added, weights loaded, refusals."""

from tests.conftest import require_framework

torch = require_framework("torch")

import pytest  # noqa: E402
import timm  # noqa: E402
from torch import nn  # noqa: E402
from torchvision import models  # noqa: E402

from rs_workbench.errors import MissingDependencyError, ModelError, UsageError  # noqa: E402
from torch_cases.models.backbones import dilate, take_bands, torch_backbone  # noqa: E402
from torch_cases.models.deeplabv3 import DeepLabV3Plus  # noqa: E402


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet18", {2: 64, 4: 64, 8: 128, 16: 512}),
        ("convnext_atto", {4: 40, 8: 80, 16: 320}),
        ("torchvision/resnet18", {2: 64, 4: 64, 8: 128, 16: 512}),
        ("torchvision/mobilenet_v2", {2: 16, 4: 24, 8: 32, 16: 1280}),
        ("smp/mobilenet_v2", {1: 5, 2: 16, 4: 24, 8: 32, 16: 1280}),
    ],
)
def test_features_are_as_large_and_as_many_as_said(name, channels):
    backbone = torch_backbone(5, name).eval()
    assert backbone.channels == channels
    with torch.inference_mode():
        features = backbone(torch.zeros(1, 5, 64, 96))
    found = {s: f.shape[1:] for s, f in features.items() if s in channels}
    assert found == {s: (n, 64 // s, 96 // s) for s, n in channels.items()}


@pytest.mark.parametrize("name", ["torchvision/resnet18", "torchvision/mobilenet_v2"])
def test_dilation_gives_what_the_stride_gave_and_all_between(name):
    torch.manual_seed(0)
    plain = torch_backbone(3, name, output_stride=32).eval()
    dense = torch_backbone(3, name, output_stride=8).eval()
    dense.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 96, 64)
    with torch.inference_mode():
        torch.testing.assert_close(dense(image)[8][:, :, ::4, ::4], plain(image)[32])


def test_dilation_is_that_of_torchvision():
    torch.manual_seed(0)
    ours = torch_backbone(3, "torchvision/resnet50", output_stride=8).eval()
    theirs = models.resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
    body = nn.Sequential(*list(theirs.children())[:-2]).eval()
    body.load_state_dict(ours.body.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image)[8], body(image))


@pytest.mark.parametrize("trained", [True, False])
def test_other_bands_get_a_first_convolution(trained):
    body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU())
    grey = torch.full((1, 1, 8, 8), 0.5)
    before = body(grey.expand(-1, 3, -1, -1))
    take_bands(body, 6, trained=trained)
    after = body(grey.expand(-1, 6, -1, -1))
    assert body[0].weight.shape == (8, 6, 3, 3)
    assert torch.allclose(before, after, atol=1e-6) == trained


@pytest.fixture
def file(tmp_path):
    return tmp_path / "backbone.pt"


def test_weights_come_from_a_file_without_its_classifier(file):
    net = models.resnet18(weights=None)
    state = dict(nn.Sequential(*list(net.children())[:-2]).state_dict())
    torch.save({**state, "fc.weight": torch.zeros(1000, 512)}, file)
    backbone = torch_backbone(3, "torchvision/resnet18", weights=str(file))
    torch.testing.assert_close(backbone.body.state_dict(), state)


def test_weights_that_do_not_fit_are_refused(file):
    torch.save(timm.create_model("resnet18", features_only=True).state_dict(), file)
    sentence = r"does not fit backbone 'resnet18': 1 of \d+ arrays .* such as 'conv1.weight'"
    with pytest.raises(ModelError, match=sentence):
        torch_backbone(4, "resnet18", weights=str(file))


@pytest.mark.parametrize("content", [b"no weights", None])
def test_a_file_without_weights_is_refused(file, content):
    if content:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"backbone\.pt' holds no weights of backbone 'resnet18'"):
        torch_backbone(3, "resnet18", weights=str(file))


def test_a_pickle_that_would_run_code_is_refused(file):
    torch.save({"conv1.weight": pytest.fail}, file)
    with pytest.raises(ModelError, match="holds no weights"):
        torch_backbone(3, "resnet18", weights=str(file))


def test_weights_that_cannot_be_fetched_are_said(monkeypatch):
    def offline(*_, **__):
        raise OSError("no network\nand much more")

    monkeypatch.setattr(timm, "create_model", offline)
    sentence = r"ImageNet weights of 'resnet18' cannot be had \(no network\): give a file"
    with pytest.raises(ModelError, match=sentence):
        torch_backbone(3, "resnet18", weights="imagenet")


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "segmentation_models_pytorch", None)
    with pytest.raises(MissingDependencyError, match=r"needs segmentation_models_pytorch"):
        torch_backbone(3, "smp/resnet18")


@pytest.mark.parametrize(
    ("name", "output_stride", "sentence"),
    [
        ("resnett18", 16, "no network of timm 'resnett18', did you mean .*'resnet18'"),
        ("smp/resnett18", 16, "no encoder of smp 'resnett18', did you mean 'resnet18'"),
        ("torchvision/resnett18", 16, "no network of torchvision .* did you mean .*'resnet18'"),
        ("tim/resnet18", 16, "no source of backbones 'tim', did you mean 'timm'"),
        ("densenet121", 16, "'densenet121' cannot .* stride 16: set output_stride=32 or choose"),
        (
            "torchvision/vgg11",
            8,
            "'torchvision/vgg11' cannot .* stride 8: set output_stride=32",
        ),
        ("smp/vgg11", 8, "'smp/vgg11' cannot .* stride 8: set output_stride=32"),
        ("vit_tiny_patch16_224", 32, "cannot .* of stride 32: choose another backbone"),
        ("swin_tiny_patch4_window7_224", 32, "tiles of one size only: choose a convolutional"),
    ],
)
def test_what_cannot_be_is_refused(name, output_stride, sentence):
    with pytest.raises(UsageError, match=sentence):
        torch_backbone(3, name, output_stride=output_stride)


def test_parts_that_pool_or_have_no_middle_are_not_dilated():
    for layer in (nn.MaxPool2d(2), nn.Conv2d(3, 3, 2, stride=2)):
        with pytest.raises(ValueError, match=r"pooling|even kernel"):
            dilate(nn.Sequential(nn.Conv2d(3, 3, 8, stride=8), layer), 3, 8)


def test_every_parameter_of_a_backbone_learns():
    torch.manual_seed(0)
    net = DeepLabV3Plus(4, 3, backbone="resnet18", width=16, output_stride=8).double()
    for parameter in net.parameters():  # timm starts some norms at zero, which hold others back
        parameter.data += 0.01 * torch.randn_like(parameter)
    net(torch.randn(4, 4, 32, 32).double()).square().mean().backward()
    gradients = {k: 0 if p.grad is None else p.grad.abs().max() for k, p in net.named_parameters()}
    assert [k for k, gradient in gradients.items() if gradient < 1e-10] == []


def test_running_statistics_follow_within_a_few_hundred_steps():
    backbone = torch_backbone(3, "torchvision/mobilenet_v3_small")
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > 10
    assert {norm.momentum for norm in norms} == {0.1}
