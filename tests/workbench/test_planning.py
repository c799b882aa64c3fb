import pytest

from rs_workbench.errors import UsageError
from rs_workbench.planning import Load, Plan, Wishes, make_plan, plan_bytes
from tests.workbench.nets import card

GB = 10**9


def load(shape=(2000, 2000), **kw):
    values = {
        "block": (256, 256),
        "pixel_bytes": 3,
        "layer_bytes": 1,
        "n_bands": 3,
        "n_classes": 4,
    }
    return Load(shape, **{**values, **kw})


def plan(the_card=None, wishes=None, *, free=GB, **kw):
    the_card = the_card or card(stride=8, reach=46)
    return make_plan(the_card, load(**kw), wishes or Wishes(), free_bytes=free)


def test_the_margin_is_the_reach_rounded_up_to_the_stride():
    made = plan()
    assert (made.tile, made.margin, made.exact) == (512, 48, True)


def test_a_longer_reach_takes_a_larger_tile():
    made = plan(card(stride=16, reach=100), free=2 * GB)
    assert (made.tile, made.margin, made.exact) == (1024, 112, True)


def test_where_exact_is_too_dear_the_effective_reach_serves():
    made = plan(card(stride=32, reach=400, effective_reach=60))
    assert made.margin == 64
    assert not made.exact


def test_the_user_may_insist_on_exact():
    made = plan(card(stride=32, reach=400, effective_reach=60), Wishes(tile=1024, overlap=800))
    assert made.margin == 416
    assert made.exact


def test_unbounded_reach_is_exact_only_in_one_tile():
    the_card = card(stride=8, effective_reach=32)
    assert not plan(the_card).exact
    assert plan(the_card, shape=(300, 500)).exact


def test_blending_is_never_exact():
    assert not plan(wishes=Wishes(blend="hann")).exact


@pytest.mark.parametrize("shape", [(2000, 10**5), (10**5, 10**5), (2000, 2000)])
@pytest.mark.parametrize("free", [GB // 4, GB])
@pytest.mark.parametrize("bands", [3, 12])
def test_the_plan_fits_the_budget(shape, free, bands):
    made = plan(
        card(n_bands=bands, reach=46, stride=8),
        free=free,
        shape=shape,
        n_bands=bands,
        pixel_bytes=2 * bands,
    )
    assert plan_bytes(made, load(shape, n_bands=bands, pixel_bytes=2 * bands)) <= free


def test_wide_scenes_are_cut_into_panels_unless_stored_in_whole_rows():
    wide = plan(shape=(2000, 16384))
    assert wide.panel_width <= 4096
    rows = plan(shape=(2000, 16384), block=(1, 16384))
    assert len(rows.panels(rows.grid((2000, 16384)))) == 1


MANY = {"n_bands": 216, "pixel_bytes": 4 * 216, "shape": (1536, 1536), "block": (32, 32)}


@pytest.mark.parametrize(("free", "tile"), [(450, 256), (1000, 384), (1700, 512), (16_000, 1024)])
def test_hundreds_of_bands_take_smaller_tiles_where_memory_is_small(free, tile):
    the_card = card(n_bands=216, stride=8, reach=250, effective_reach=40)
    made = plan(the_card, free=free * 10**6, **MANY)
    assert made.tile == tile
    assert plan_bytes(made, load(**MANY)) <= free * 10**6


def test_a_small_tile_still_moves_on():
    the_card = card(n_bands=216, stride=8, reach=250, effective_reach=130)
    assert plan(the_card, free=10**9, **MANY).tile == 384
    with pytest.raises(UsageError, match="too little memory for tiles of 384 px: 300 MB are left"):
        plan(the_card, free=3 * 10**8, **MANY)


def test_too_little_memory_says_how_much_is_needed():
    with pytest.raises(UsageError, match=r"1 MB are left .* MB are needed: give more --memory"):
        plan(free=10**6)


def test_fixed_size_networks():
    fixed = card(stride=1, reach=4, fixed_size=(128, 128))
    made = plan(fixed)
    assert (made.tile, made.fixed) == (128, True)
    assert made.grid((50, 300)).tile == (128, 128)
    with pytest.raises(UsageError, match=r"takes tiles of 128 px only: got --tile 256"):
        plan(fixed, Wishes(tile=256))
    with pytest.raises(UsageError, match="128 x 64 px only"):
        plan(card(fixed_size=(128, 64)))


def test_a_plan_survives_the_journal():
    made = plan()
    assert Plan.from_dict(made.as_dict()) == made
