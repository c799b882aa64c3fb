import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling import TilingError, Window, cut_panels, cut_spans, make_grid


@st.composite
def layouts(draw):
    stride = draw(st.sampled_from([1, 2, 8]))
    margin = stride * draw(st.integers(0, 4))
    tile = 2 * margin + stride * draw(st.integers(1, 8))
    return draw(st.integers(1, 300)), tile, margin, stride


@given(layouts(), st.booleans())
def test_spans_cover_the_scene_once_on_the_stride(layout, fixed):
    length, tile, margin, stride = layout
    spans = cut_spans(length, tile, margin=margin, stride=stride, fixed=fixed)
    assert [s.core_start for s in spans] == [0, *(s.core_stop for s in spans[:-1])]
    assert spans[-1].core_stop == length
    assert len({s.stop - s.start for s in spans}) == 1
    assert all(s.start % stride == 0 and s.core_start < s.core_stop for s in spans)
    for i, span in enumerate(spans):
        assert i == 0 or span.core_start - span.start >= margin
        assert i == len(spans) - 1 or span.stop - span.core_stop >= margin
    assert spans[0].start == 0
    assert spans[-1].stop >= length


@given(layouts())
def test_no_tile_more_than_needed(layout):
    length, tile, margin, stride = layout
    padded = -(-length // stride) * stride
    fewest = 1 if padded <= tile else 1 + -(-(padded - tile) // (tile - 2 * margin))
    assert len(cut_spans(length, tile, margin=margin, stride=stride)) == fewest


@given(layouts(), st.integers(1, 400))
def test_panels_take_every_column_once(layout, max_width):
    length, tile, margin, stride = layout
    cols = cut_spans(length, tile, margin=margin, stride=stride)
    panels = cut_panels(cols, max_width)
    assert [i for panel in panels for i in panel] == list(range(len(cols)))
    assert all(len(p) == 1 or cols[p[-1]].stop - cols[p[0]].start <= max_width for p in panels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tile": 250, "margin": 48, "stride": 8}, r"stride 8 px.*tile=250.*try tile=256"),
        ({"tile": 96, "margin": 48, "stride": 8}, r"tile=96 px and margin=48 px \(try tile=192\)"),
        ({"tile": 64, "margin": -1}, r"margin=-1"),
    ],
)
def test_wrong_tile_says_which_would_work(arguments, message):
    with pytest.raises(TilingError, match=message):
        cut_spans(1000, **arguments)


def test_blending_zones_may_not_meet():
    with pytest.raises(TilingError, match=r"overlap=192 px and tile=256 px \(try overlap=128\)"):
        make_grid((500, 500), 256, margin=96, stride=8, blend=True)


def test_window_slices():
    assert Window(2, 3, 4, 5).slices == (slice(2, 6), slice(3, 8))
