"""Progress in a log: what is counted, and that a further pass begins anew."""

from __future__ import annotations

import pytest

from rs_workbench import progress
from rs_workbench.progress import show_progress


@pytest.mark.parametrize("parts", ["tiles", "windows"])
def test_lines_name_what_is_counted(
    parts: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with show_progress("plain", parts=parts) as on_scene:
        on_progress = on_scene("folder/a.tif", 1, 1)
        assert on_progress is not None
        for seconds, done in ((20, 10), (40, 30), (45, 1), (65, 2), (85, 4)):
            now[0] = 100.0 + seconds
            on_progress(done, 40)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"a.tif: 10/40 {parts}, 25 %, 0.5 {parts}/s, ")
    assert lines[0].endswith(" 60 s left") or lines[0].endswith(" 1 min left")
    # The second pass began after 45 s: two parts in twenty seconds.
    assert f"2/40 {parts}, 5 %, 0.1 {parts}/s" in lines[2]


def test_a_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with show_progress("auto", parts="strips") as on_scene:
        on_progress = on_scene("a.tif", 1, 2)
        assert on_progress is not None
        on_progress(1, 4)
