"""Networks are found by name without importing them, and a wrong name is answered with help."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from rs_workbench import networks
from rs_workbench.errors import MissingDependencyError, ModelError, UsageError
from rs_workbench.networks import check_choice, describe, find_network, list_networks

ROOT = Path(__file__).parents[2]
OURS = ["cbrr_unet", "deeplabv3plus", "unet"]


class Package:
    def __init__(self, name):
        self.name = name


@pytest.fixture
def offer(monkeypatch):
    """Pretend that packages offer networks: (name, where, package)."""

    def pretend(*offers):
        entries = []
        for name, where, package in offers:
            entry = metadata.EntryPoint(name, where, networks.GROUP)
            vars(entry)["dist"] = Package(package)
            entries.append(entry)
        monkeypatch.setattr(networks.metadata, "entry_points", lambda group: entries)

    return pretend


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_our_networks_are_listed(framework):
    listed = [n for n in list_networks(framework) if n.package == "rs-workbench"]
    assert [n.name for n in listed] == OURS
    assert {n.framework for n in listed} == {framework}
    assert listed[-1].where == f"{framework}_cases.models.unet:build"


def test_both_frameworks_are_listed_together():
    assert set(list_networks()) == {*list_networks("keras"), *list_networks("torch")}


def test_listing_imports_no_framework_and_no_case():
    code = (
        "import sys; from rs_workbench.networks import list_networks; assert list_networks();"
        "print({'torch', 'keras', 'tensorflow', 'keras_cases', 'torch_cases'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()", done.stderr


def test_a_wrong_name_is_answered_with_the_nearest_and_the_list():
    with pytest.raises(UsageError) as caught:
        find_network("u-net", "torch")
    assert str(caught.value) == (
        "there is no torch network 'u-net', did you mean 'unet'?"
        " Choose cbrr_unet, deeplabv3plus or unet"
    )


def test_a_name_like_no_other_is_answered_with_the_list():
    with pytest.raises(UsageError, match="no keras network 'xyz': choose cbrr_unet, deep"):
        find_network("xyz", "keras")


def test_a_wrong_framework_is_answered():
    with pytest.raises(UsageError, match="no framework 'jax': choose keras or torch"):
        list_networks("jax")


def test_none_installed_is_said(offer):
    offer()
    with pytest.raises(UsageError, match="'unet': choose nothing, as none is installed"):
        find_network("unet", "torch")


def test_a_third_party_network_is_found(offer):
    offer(("torch.theirs", "tests.workbench.test_networks:build_theirs", "their-package"))
    assert [n.package for n in list_networks("torch")] == ["their-package"]
    assert find_network("theirs", "torch")(3, 4, width=5) == (3, 4, {"width": 5})


def build_theirs(n_bands, n_classes, **options):
    return n_bands, n_classes, options


def test_the_same_entry_twice_is_one_network(offer):
    entry = ("torch.theirs", "tests.workbench.test_networks:build_theirs", "their-package")
    offer(entry, entry)
    assert len(list_networks()) == 1


def test_two_packages_with_one_name_are_refused(offer):
    offer(("torch.unet", "a:build", "first"), ("torch.unet", "b:build", "second"))
    with pytest.raises(UsageError, match="'first' and 'second' both offer a torch network 'unet'"):
        find_network("unet", "torch")


def test_a_missing_package_is_named(offer):
    offer(("torch.theirs", "no_such_package.net:build", "their-package"))
    with pytest.raises(MissingDependencyError, match=r"needs no_such_package.*install no_such"):
        find_network("theirs", "torch")


def test_a_missing_package_of_ours_is_an_extra(offer):
    offer(("torch.unet", "no_such_package.net:build", "rs-workbench"))
    with pytest.raises(MissingDependencyError, match=r"install 'rs-workbench\[torch\]'"):
        find_network("unet", "torch")


@pytest.mark.parametrize("attribute", ["nothing", "OURS"])
def test_a_broken_promise_is_said(offer, attribute):
    offer(("torch.theirs", f"tests.workbench.test_networks:{attribute}", "their-package"))
    with pytest.raises(ModelError, match=f"'theirs' of 'their.*test_networks:{attribute}"):
        find_network("theirs", "torch")


def test_long_lists_are_cut():
    names = [f"net{i}" for i in range(100)]
    with pytest.raises(UsageError) as caught:
        check_choice("network", "net777", names)
    assert len(str(caught.value)) < 150
    assert "Choose one of 100, such as 'net0'" in str(caught.value)


class Array:
    def __init__(self, *shape, floating=True, trained=True):
        self.shape, self.requires_grad = shape, trained
        self.is_floating_point = lambda: floating


class TorchLike:
    stride = 8

    def parameters(self):
        return [Array(3, 2), Array(5, trained=False)]

    def buffers(self):
        return [Array(7), Array(floating=False)]


class KerasLike:
    weights = (Array(3, 2), Array(5), Array(7))
    trainable_weights = (Array(3, 2),)

    def count_params(self):
        return 18


@pytest.mark.parametrize(("model", "stride"), [(TorchLike(), 8), (KerasLike(), None)])
def test_both_frameworks_are_counted_alike(model, stride):
    assert describe(model) == networks.NetworkFacts(18, 6, stride)
