"""choose_bands: which bands of a scene the model gets, by number, by name or by wavelength."""

from __future__ import annotations

from collections.abc import Sequence

from rs_workbench.card import ModelCard
from rs_workbench.errors import SceneError
from rs_workbench.raster_scene import Scene

_NEAR_NM = 10.0
_SHOWN = 12


def choose_bands(
    scene: Scene, selection: Sequence[str] | None, card: ModelCard | None = None
) -> tuple[int, ...]:
    """Choose the bands a model reads, in the model's order.

    Without a selection the card decides: by the names of its bands, then by their wavelengths,
    then, if the numbers of bands agree, by position.

    Parameters
    ----------
    scene : Scene
        What `open_scene` returned.
    selection : sequence of str or None
        Numbers from 1, or names; upper and lower case are the same.
    card : ModelCard or None
        The model's card; None if only the selection counts.

    Returns
    -------
    tuple of int
        Band numbers from 1.

    Raises
    ------
    SceneError
        If a selected band does not exist, the number of bands is not the model's, or the bands
        cannot be told from names and position.
    """
    if selection:
        bands = tuple(_find(scene, token.strip()) for token in selection)
        if card is not None and len(bands) != card.n_bands:
            raise SceneError(
                f"'{card.name}' was trained on {_bands(card.n_bands)} ({_card_names(card)}), but "
                f"--bands chooses {len(bands)} ({','.join(selection)}): choose {card.n_bands}"
            )
        return bands
    if card is None:
        return scene.data_bands
    return _by_card(scene, card)


def _by_card(scene: Scene, card: ModelCard) -> tuple[int, ...]:
    found = [_named(scene, band.name) for band in card.bands]
    if all(len(matches) == 1 for matches in found):
        return tuple(matches[0] for matches in found)
    near = _by_wavelength(scene, card)
    if near:
        return near
    if len(scene.data_bands) != card.n_bands:
        raise SceneError(_wrong_count(scene, card))
    misplaced = [
        (band.name, place, matches)
        for band, place, matches in zip(card.bands, scene.data_bands, found, strict=True)
        if matches and place not in matches
    ]
    if misplaced:
        name, place, matches = misplaced[0]
        raise SceneError(
            f"'{card.name}' wants '{name}' as its band {place}, but in '{scene.name}' that is "
            f"band {matches[0]} ({_scene_names(scene)}), and not all of its bands are there "
            f"({_card_names(card)}): name the bands yourself with  --bands "
            f"{_example(card.n_bands)}"
        )
    return scene.data_bands


def _find(scene: Scene, token: str) -> int:
    if token.isdigit() and 1 <= int(token) <= scene.count:
        return int(token)
    matches = _named(scene, token)
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SceneError(
            f"'{scene.name}' has {len(matches)} bands called '{token}' "
            f"({', '.join(map(str, matches))}): choose one by its number"
        )
    raise SceneError(
        f"'{scene.name}' has no band '{token}': choose from 1 to {scene.count} "
        f"({_scene_names(scene)})"
    )


def _named(scene: Scene, name: str) -> list[int]:
    wanted = name.casefold()
    return [b for b, have in enumerate(scene.band_names, 1) if have.casefold() == wanted]


def _by_wavelength(scene: Scene, card: ModelCard) -> tuple[int, ...] | None:
    known = [(w, b) for b, w in enumerate(scene.wavelengths, 1) if w is not None]
    wanted = [band.wavelength for band in card.bands]
    if not known or any(w is None for w in wanted):
        return None
    chosen = [min((abs(have - want), b) for have, b in known) for want in wanted if want]
    bands = tuple(b for _, b in chosen)
    if max(distance for distance, _ in chosen) > _NEAR_NM or len(set(bands)) < len(bands):
        return None
    return bands


def _wrong_count(scene: Scene, card: ModelCard) -> str:
    have = len(scene.data_bands)
    start = (
        f"'{card.name}' was trained on {_bands(card.n_bands)} ({_card_names(card)}), but "
        f"'{scene.name}' has {have} ({_scene_names(scene)})"
    )
    if have < card.n_bands:
        more = (
            "if its bands are in files of their own, give all of them with --mosaic"
            if have == 1
            else "give a scene with all of them"
        )
        return f"{start}: {more}"
    return f"{start}: choose {card.n_bands} with  --bands {_example(card.n_bands)}"


def _example(n_bands: int) -> str:
    return ",".join(str(b) for b in range(min(n_bands, _SHOWN), 0, -1))


def _bands(count: int) -> str:
    return "1 band" if count == 1 else f"{count} bands"


def _card_names(card: ModelCard) -> str:
    return _shorten([band.name for band in card.bands])


def _scene_names(scene: Scene) -> str:
    return _shorten(list(scene.band_names))


def _shorten(names: list[str]) -> str:
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return ", ".join([*names[: _SHOWN - 1], f"... {names[-1]}"])
