"""Sample data by name: the registry, the order of places, and the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rs_workbench import samples, samples_command
from rs_workbench.errors import UsageError
from rs_workbench.sample_check import damaged_files, missing_files
from rs_workbench.sample_registry import (
    SampleSet,
    Source,
    load_sample_set,
    sample_names,
)
from tests.workbench.sample_server import FILES, SampleServer, read_all

CASES = {
    "mnist": 4,
    "fashion_mnist": 4,
    "sea_ice": 1400,
    "dunes": 344,
    "enmap_potsdam": 37,
    "salinas_a": 2,
    "landsat7_chiapas": 10,
    "leipzig": 2,
    "naip_wetlands": 2,
    "neon_trees": 82,
    "fra_eng": 1,
}


# The registry


@pytest.mark.parametrize("name", sample_names())
def test_each_set_says_where_each_file_comes_from(name: str) -> None:
    sample = load_sample_set(name)
    paths = [file.path for file in sample.files]
    assert paths == sorted(set(paths))
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in sample.files)
    assert not any(path.startswith("/") or ".." in path for path in paths)
    nowhere = [f for f in sample.files if not sample.urls_of(f) and not sample.made_from(f)]
    assert bool(nowhere) == bool(sample.by_hand)
    for source in sample.sources:
        assert source.commit is None or re.fullmatch("[0-9a-f]{8,40}", source.commit)
        assert any(source in sample.sources_of(file) for file in sample.files)


@pytest.mark.parametrize(("name", "count"), CASES.items())
def test_the_cases_find_their_data(name: str, count: int) -> None:
    assert len(load_sample_set(name).files) == count


def test_the_registry_stays_small() -> None:
    folder = Path(samples.__file__).parent / "sample_sets"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 250_000


def test_addresses_are_pinned_to_a_commit_and_quoted() -> None:
    dunes = load_sample_set("dunes")
    label = next(f for f in dunes.files if f.path == "labels_jpeg/1216_47424_a000c.jpg")
    place = "dbuscombe-usgs/UNetSegmentation_RGB_DEM{}4ea95325c00646cf65f07564171ff1587923b13d"
    tail = "data/labels/ortho_1216_47424_a000c_label.jpg"
    assert dunes.urls_of(label) == [
        f"https://raw.githubusercontent.com/{place.format('/')}/{tail}",
        f"https://cdn.jsdelivr.net/gh/{place.format('@')}/{tail}",
    ]
    spaced = load_sample_set("sentinel2_beaufort")
    assert "/2018-10-13%2C%20Sentinel-2B%20L1C%2C%20B01.tiff" in spaced.urls_of(spaced.files[0])[0]


def test_a_made_file_names_its_origin_and_has_no_address() -> None:
    dunes = load_sample_set("dunes")
    made = next(f for f in dunes.files if f.path == "labels/1216_47424_a000c.png")
    assert dunes.made_from(made) == ("labels_jpeg/1216_47424_a000c.jpg", "clean_jpeg_labels")
    assert dunes.urls_of(made) == []


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="called 'sea_ise': did you mean 'sea_ice'"):
        load_sample_set("sea_ise")
    with pytest.raises(UsageError, match=r"called 'xyz': choose one of these .*sea_ice"):
        samples.fetch("xyz")


def test_a_source_needs_one_whole_way() -> None:
    with pytest.raises(ValueError, match=r"'\*' needs one whole way"):
        Source(files="*", repository="a/b", commit="0123abcd")
    with pytest.raises(ValueError, match="needs one whole way"):
        Source(files="*", url="http://a", made_from="b", maker="c")


@pytest.mark.data
@pytest.mark.parametrize("name", sample_names())
def test_the_real_files_are_those_of_the_registry(data_folder: Path, name: str) -> None:
    sample = load_sample_set(name)
    assert missing_files(sample, data_folder / name) == []
    some = sample.model_copy(update={"files": sample.files[:: max(1, len(sample.files) // 20)]})
    assert damaged_files(some, data_folder / name) == []


# Where a set is looked for


def test_own_folder_comes_first(
    server: SampleServer, toy: SampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RSW_DATA", str(tmp_path))
    for path, body in FILES.items():
        (tmp_path / "toy" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "toy" / path).write_bytes(body)
    assert samples.fetch("toy") == tmp_path / "toy"
    assert samples.find("toy").place == "RSW_DATA"
    assert server.asked == []


@pytest.mark.parametrize("spoil", ["remove", "cut"])
def test_an_incomplete_folder_is_named_and_passed_over(
    toy: SampleSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: str,
) -> None:
    monkeypatch.setenv("RSW_DATA", str(tmp_path))
    for path, body in FILES.items():
        (tmp_path / "toy" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "toy" / path).write_bytes(body)
    victim = tmp_path / "toy" / "sub" / "c.bin"
    victim.unlink() if spoil == "remove" else victim.write_bytes(b"c" * 49_999)
    folder = samples.fetch("toy")
    assert folder == tmp_path / "cache" / "toy"
    assert read_all(folder) == FILES
    told = capsys.readouterr().err
    assert "1 of 3 files are missing or cut short there, 'sub/c.bin' the first" in told


def test_a_download_is_made_once_with_its_licence(
    server: SampleServer, toy: SampleSet, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = samples.fetch("toy")
    assert read_all(folder) == FILES
    told = capsys.readouterr().err
    assert "toy: Toy: nothing much" in told
    assert f"from {server.address}" in told
    assert "licence: CC0" in told
    assert "licence: CC0" in (folder / "SOURCE.txt").read_text()
    asked = len(server.asked)
    assert asked == 3
    assert samples.fetch("toy") == folder
    assert len(server.asked) == asked
    assert capsys.readouterr().err == ""
    assert {p.name for p in folder.iterdir()} == {"SOURCE.txt", "a.bin", "sub"}


def test_quiet_prints_nothing(toy: SampleSet, capsys: pytest.CaptureFixture[str]) -> None:
    samples.fetch("toy", quiet=True)
    assert capsys.readouterr() == ("", "")


# The command


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(samples_command.command, args)
    return result.exit_code, result.output


def test_the_list_names_all_sets_with_size_place_and_licence(
    server: SampleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = run()
    assert code == 0
    lines = {line.split()[0]: line.split() for line in output.splitlines()}
    assert set(lines) == {"name", *sample_names()}
    assert lines["sea_ice"][1:] == ["20.4", "-", "none", "stated", "by", "the", "source"]


def test_the_list_says_on_what_terms() -> None:
    code, output = run("--licence")
    assert code == 0
    assert "licence: none stated by the source; for your own use" in output
    assert "from https://github.com/JunchuanYu/Deep-learning-teaching/tree/7bbd4916e50c" in output
    one = run("fetch", "--licence", "mnist")[1]
    assert "licence: CC BY-SA 3.0; as the original site states" in one
    assert "sea_ice" not in one


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("fetch",), 2, "which sample data? name one or more of baker_lake"),
        (("fetch", "nmist"), 2, "did you mean 'mnist'?"),
        (("check", "mnist"), 1, "mnist is not on this machine: run  rsw samples fetch mnist"),
        (("fetch", "neon_scenes"), 1, "neon_scenes cannot be downloaded whole"),
    ],
)
def test_the_command_explains_itself(args: tuple[str, ...], code: int, text: str) -> None:
    got, output = run(*args)
    assert (got, text in output) == (code, True), output


def test_the_command_finds_a_damaged_file(toy: SampleSet) -> None:
    folder = samples.fetch("toy", quiet=True)
    samples_command.load_sample_set, kept = (lambda name: toy), samples_command.load_sample_set
    try:
        assert run("check", "toy") == (0, "toy: 3 files as they should be (cache)\n")
        (folder / "a.bin").write_bytes(bytes(len(FILES["a.bin"])))
        code, output = run("check", "toy")
    finally:
        samples_command.load_sample_set = kept
    assert code == 1
    assert "1 of 3 files of toy are not as they should be, 'a.bin' the first" in output
