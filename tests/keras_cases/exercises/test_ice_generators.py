"""Exercise 2.2: our answer passes its check; the course's mistakes, and others, do not."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras_cases.exercises import ice_generators as ours  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from rs_workbench.standin_files import write_stand_in  # noqa: E402


def answer(**changes):
    """Our answer with something else in it."""
    names = ("write_hdf5", "FromFiles", "FromArrays", "FromHdf5")
    return SimpleNamespace(**{name: getattr(ours, name) for name in names} | changes)


class Course(ours.FromArrays):
    """Places as the course computes them."""

    def __getitem__(self, index):
        places = [(index + 1) * (j + 1) - 1 for j in range(self.batch)]
        return self.take(np.minimum(places, len(self.order) - 1))


class ScaledTwice(ours.FromArrays):
    """The course's generator from arrays: what is 0 to 1 is divided once more."""

    def take(self, places):
        images, labels = super().take(places)
        return images / 255, (labels / 255).astype(np.uint8)


class LabelsScaledTwice(ours.FromArrays):
    def take(self, places):
        images, labels = super().take(places)
        return images, (labels / 255).astype(np.uint8)


class ShortBatchLost(ours.FromArrays):
    def __len__(self):
        return len(self.order) // self.batch


class Bytes(ours.FromArrays):
    def take(self, places):
        images, labels = super().take(places)
        return 255 * images, labels


class Smeared(ours.FromFiles):
    def take(self, places):
        images, _ = super().take(places)
        grey = [ours.read_picture(self.paths[k][1], colour=False) for k in places]
        return images, np.stack(grey) / np.float32(255)


class LabelsByThemselves(ours.FromArrays):
    def __getitem__(self, index):
        images, _ = super().__getitem__(index)
        places = np.arange(len(self.order))[index * self.batch :][: self.batch]
        return images, self.labels[places]


class OneOrder(ours.FromArrays):
    def on_epoch_end(self):
        pass


class Unseeded(ours.FromArrays):
    def __init__(self, images, labels, *, batch, seed=0):
        super().__init__(images, labels, batch=batch, seed=np.random.SeedSequence().entropy)


class SeedIgnored(ours.FromArrays):
    def __init__(self, images, labels, *, batch, seed=0):
        super().__init__(images, labels, batch=batch, seed=1)


class InPlace(ours.FromArrays):
    def take(self, places):
        images, labels = super().take(places)
        self.images[:] = np.clip(self.images, 0, 0.5)
        return images, labels


class BandsFirst(ours.FromArrays):
    def take(self, places):
        images, labels = super().take(places)
        return images.transpose(0, 3, 1, 2), labels


def test_our_answer_is_right():
    right = ours.check(ours)
    assert len(right) == 7
    assert right[0] == "FromFiles gives each of 10 tiles once an epoch, with its own label"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (Course, r"12 samples of 10 tiles, 8 of them distinct: .*\(i \+ 1\) \* \(j \+ 1\) - 1"),
        (ScaledTwice, r"FromArrays reach only 0.0031: were they divided by 255 twice"),
        (LabelsScaledTwice, "all labels of FromArrays are 0"),
        (ShortBatchLost, "has 2 batches for 10 tiles in batches of 4: 3 are needed"),
        (Bytes, "images of FromArrays reach 200: divide bytes by 255"),
        (LabelsByThemselves, "with the label of another"),
        (OneOrder, "second epoch in the order of the first"),
        (Unseeded, "from one seed"),
        (SeedIgnored, "whatever the seed"),
        (InPlace, "changed the arrays it was given"),
        (BandsFirst, r"images \(10, 3, 16, 16\) and labels \(10, 16, 16\)"),
    ],
)
def test_mistakes_are_found(changed, says):
    with pytest.raises(WrongAnswerError, match=says):
        ours.check(answer(FromArrays=changed))


class ReadWholeAtFirst(ours.FromHdf5):
    def __init__(self, path, *, batch, seed=0):
        super().__init__(path, batch=batch, seed=seed)
        with h5py.File(path) as file:
            self.all = np.array(file["images"]), file["labels"][()]

    def take(self, places):
        return self.all[0][places] / np.float32(255), self.all[1][places]


class ReadWholeEachTime(ours.FromHdf5):
    def take(self, places):
        with h5py.File(self.path) as file:
            return file["images"][:][places] / np.float32(255), file["labels"][:][places]


class ReadOneByOne(ours.FromHdf5):
    def take(self, places):
        images = np.empty((len(places), 16, 16, 3), np.uint8)
        with h5py.File(self.path) as file:
            for number, place in enumerate(places):
                file["images"].read_direct(images, np.s_[place], np.s_[number])
            return images / np.float32(255), np.stack([file["labels"][k] for k in places])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (ReadWholeAtFirst, r"reads 10 of 10 tiles for a batch of 1 \(when it is made: 10\)"),
        (ReadWholeEachTime, r"reads 10 of 10 tiles for a batch of 1 \(when it is made: 0\)"),
    ],
)
def test_a_file_that_is_read_whole_is_found(changed, says):
    with pytest.raises(WrongAnswerError, match=says):
        ours.check(answer(FromHdf5=changed))


def test_reading_tile_by_tile_is_right():
    assert ours.check(answer(FromHdf5=ReadOneByOne))[-1].startswith("FromHdf5 reads the tiles")


def test_distinct_samples_are_counted_by_what_they_hold():
    class Again(ours.FromArrays):
        """Its order is right; what it gives is not."""

        def take(self, places):
            return super().take(places // 2)

    images, labels = ours.make_tiles(10, 16)
    for kind, distinct in ((ours.FromArrays, 10), (Again, 5)):
        line = ours.measure("", kind(images / np.float32(255), labels, batch=4))
        assert (line.figures["samples"], line.figures["distinct"]) == (10, distinct)


def test_smeared_labels_are_found():
    with pytest.raises(
        WrongAnswerError, match=r"labels of FromFiles hold .* cut grey levels at 128"
    ):
        ours.check(answer(FromFiles=Smeared))


def test_the_course_reads_half_of_its_tiles():
    """As counted in the course's notebook: 704 samples, 354 of 700 tiles."""
    places = ours.course_places(700, 64)
    assert len(places) == 704
    assert len(set(places[places < 700].tolist())) == 354


def test_keras_trains_on_each(tmp_path):
    images, labels = ours.make_tiles(10, 16)
    ours.write_hdf5(tmp_path / "tiles.h5", images, labels)
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(2, 1)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    generator = ours.FromHdf5(tmp_path / "tiles.h5", batch=4)
    first = generator.order.copy()
    history = model.fit(generator, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert not np.array_equal(first, generator.order)


@pytest.mark.data
def test_the_comparison_on_real_tiles(data_folder, tmp_path):
    run(replace(ours.SMOKE, out=tmp_path / "out"), "real")


def test_the_comparison_on_drawn_tiles(tmp_path):
    write_stand_in("sea_ice", tmp_path / "out" / "drawn_sea_ice", count=20)
    run(replace(ours.SMOKE, drawn=True, out=tmp_path / "out"), "DRAWN stand-in")


def run(s, data):
    ours.main(s)
    content = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))
    assert content["facts"]["data"] == data
    by_name = {line["name"]: line["figures"] for line in content["lines"]}
    assert all(by_name[name]["samples"] == 20 for name in ("FromFiles", "FromArrays", "FromHdf5"))
    course = by_name["the course's formula, computed here"]
    assert course["distinct"] < 20 < course["samples"]
    learnt = by_name["a net of two layers, after one epoch from FromHdf5"]
    assert 0 < learnt["loss after"] < learnt["loss before"]
