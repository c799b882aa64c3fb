"""Scenes and their labels, from what the settings name: files, folders, patterns, sample data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rs_workbench.accuracy.reference.vector_file import is_vector
from rs_workbench.errors import SceneError, UsageError
from rs_workbench.raster import Scene, choose_bands, find_scenes, open_scene

_SAMPLE = re.compile(r"sample:([\w\-]+)(?:[/\\](.*))?")
_JOINT = re.compile(r"[\W_]")
_SHOWN = 3


def expand_samples(patterns: Sequence[str]) -> list[str]:
    """Put the folders of sample data in the place of their names.

    Parameters
    ----------
    patterns : sequence of str
        Files, folders or patterns; ``sample:dunes/images`` stands for a folder of sample data,
        which is downloaded where it is missing.

    Returns
    -------
    list of str
        Paths and patterns.

    Raises
    ------
    UsageError
        If there is no such sample data.
    SampleError
        If it cannot be downloaded.
    """
    from rs_workbench.samples import fetch

    found = []
    for pattern in patterns:
        match = _SAMPLE.fullmatch(pattern)
        found.append(str(fetch(match[1]) / (match[2] or "")) if match else pattern)
    return found


def open_scenes(patterns: Sequence[str]) -> tuple[Scene, ...]:
    """Open all scenes that the settings name.

    Parameters
    ----------
    patterns : sequence of str
        Files, folders or patterns; see `expand_samples`.

    Returns
    -------
    tuple of Scene
        As named, sorted within folders and patterns.

    Raises
    ------
    SceneError
        If a pattern stands for nothing, or a raster cannot be trained on.
    """
    return tuple(open_scene(path) for path in find_scenes(expand_samples(patterns)))


def same_bands(scenes: Sequence[Scene], wanted: Sequence[int | str] | None) -> tuple[int, ...]:
    """Choose the bands that a network learns from: the same in all scenes.

    Parameters
    ----------
    scenes : sequence of Scene
        All scenes.
    wanted : sequence of int or str, or None
        Numbers from 1, or names; None for all.

    Returns
    -------
    tuple of int
        Numbers from 1.

    Raises
    ------
    SceneError
        If a scene lacks a band, or scenes differ.
    UsageError
        If a band is chosen twice.
    """
    names = None if wanted is None else [str(band) for band in wanted]
    first = choose_bands(scenes[0], names)
    _refuse_twice(first, names)
    for scene in scenes[1:]:
        bands = choose_bands(scene, names)
        if bands == first:
            continue
        chosen = [", ".join(map(str, found)) for found in (first, bands)]
        if names is None:
            raise SceneError(
                f"'{scenes[0].name}' has the bands {chosen[0]}, but '{scene.name}' has "
                f"{chosen[1]}: choose those that all scenes have, such as bands: [1, 2, 3]"
            )
        raise SceneError(
            f"bands {', '.join(names)} are number {chosen[0]} in '{scenes[0].name}', but "
            f"{chosen[1]} in '{scene.name}': bring the files to one order of bands"
        )
    return first


def _refuse_twice(bands: Sequence[int], names: Sequence[str] | None) -> None:
    twice = next((band for band in bands if bands.count(band) > 1), None)
    if twice is not None:
        raise UsageError(
            f"band {twice} is chosen {bands.count(twice)} times, by bands "
            f"{', '.join(names or map(str, bands))}: name each band once"
        )


def find_labels(patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """List label files.

    Parameters
    ----------
    patterns : sequence of str
        Files, folders or patterns; see `expand_samples`.

    Returns
    -------
    rasters, vectors : list of str
        One of them is empty.

    Raises
    ------
    SceneError
        If a pattern stands for nothing.
    UsageError
        If rasters and vector files are mixed.
    """
    rasters: list[str] = []
    vectors: list[str] = []
    for pattern in expand_samples(patterns):
        path = Path(pattern)
        if not path.is_dir() and is_vector(path):
            vectors += _vector_files(path)
        else:
            rasters += find_scenes([pattern])
    if rasters and vectors:
        raise UsageError(
            f"labels are rasters, one a scene, or vector files over all scenes: got both, such as "
            f"'{Path(rasters[0]).name}' and '{Path(vectors[0]).name}' (leave out one kind)"
        )
    return list(dict.fromkeys(rasters)), list(dict.fromkeys(vectors))


def _vector_files(path: Path) -> list[str]:
    if path.exists() or not re.search(r"[*?\[]", path.name):
        return [str(path)]
    found = sorted(str(one) for one in path.parent.glob(path.name))
    if not found:
        raise SceneError(f"'{path}' matches no file: check the pattern and the folder")
    return found


def pair_labels(
    scenes: Sequence[Scene], labels: Sequence[Scene]
) -> tuple[tuple[Scene, ...], tuple[str, ...]]:
    """Find the label raster of each scene.

    Names decide: ``a_12_label.png`` belongs to ``a_12.tif``. One georeferenced raster may lie
    over all scenes. Where no name tells, and there are as many as scenes, order decides.

    Parameters
    ----------
    scenes : sequence of Scene
        The scenes.
    labels : sequence of Scene
        Label rasters.

    Returns
    -------
    paired : tuple of Scene
        One a scene.
    warnings : tuple of str
        What the user should know.

    Raises
    ------
    UsageError
        If a scene has no label raster, or several; names them.
    """
    if len(labels) == 1 and (len(scenes) == 1 or labels[0].transform is not None):
        return tuple(labels) * len(scenes), ()
    if [s.stem for s in scenes] == [s.stem for s in labels]:
        return tuple(labels), ()
    found = [_matches(scene.stem, labels) for scene in scenes]
    if not any(found) and len(labels) == len(scenes):
        return tuple(labels), (
            f"names do not tell which labels belong to which scene, so the order does: "
            f"'{labels[0].name}' to '{scenes[0].name}', '{labels[-1].name}' to "
            f"'{scenes[-1].name}'",
        )
    _refuse_unpaired(scenes, labels, found)
    paired = tuple(one for one, *_ in found)
    left = [one for one in labels if one not in paired]
    if not left:
        return paired, ()
    return paired, (
        f"{_count(len(left), 'label raster')} without a scene: {_listed(left)}; not used",
    )


def _matches(stem: str, labels: Sequence[Scene]) -> list[Scene]:
    """Labels of the same name; else those of which one name begins or ends with the other."""
    same = [one for one in labels if one.stem == stem]
    return same or [one for one in labels if _akin(stem, one.stem) or _akin(one.stem, stem)]


def _akin(part: str, whole: str) -> bool:
    """Whether a name holds another at its beginning or its end, parted by no letter or digit."""
    if len(whole) <= len(part):
        return False
    begins = whole.startswith(part) and bool(_JOINT.match(whole[len(part)]))
    return begins or (whole.endswith(part) and bool(_JOINT.match(whole[-len(part) - 1])))


def _refuse_unpaired(
    scenes: Sequence[Scene], labels: Sequence[Scene], found: Sequence[list[Scene]]
) -> None:
    alone = [scene for scene, matches in zip(scenes, found, strict=True) if not matches]
    if alone:
        free = [one for one in labels if not any(one in matches for matches in found)]
        raise UsageError(
            f"{_count(len(alone), 'scene')} without labels: {_listed(alone)}; "
            f"{_count(len(free), 'label raster')} without a scene"
            f"{': ' + _listed(free) if free else ''} (give each the name of its scene, or leave "
            "out the scenes)"
        )
    for scene, matches in zip(scenes, found, strict=True):
        if len(matches) > 1:
            raise UsageError(
                f"{len(matches)} label rasters may belong to '{scene.name}': {_listed(matches)} "
                "(give one the name of its scene)"
            )
    firsts = [matches[0] for matches in found]
    twice = [one for one in firsts if firsts.count(one) > 1]
    if twice:
        shared = [s for s, one in zip(scenes, firsts, strict=True) if one == twice[0]]
        raise UsageError(
            f"'{twice[0].name}' may be the label raster of {len(shared)} scenes: "
            f"{_listed(shared)} (give each scene its own)"
        )


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _listed(scenes: Sequence[Scene]) -> str:
    shown = ", ".join(f"'{scene.name}'" for scene in scenes[:_SHOWN])
    return shown if len(scenes) <= _SHOWN else f"{shown} and {len(scenes) - _SHOWN} more"
