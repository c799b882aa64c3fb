import threading
import time

import pytest

from tiling import run_stages


def test_order_is_kept():
    out = []
    run_stages(range(50), lambda x: x + 1, out.append)
    assert out == list(range(1, 51))


def test_stages_run_side_by_side():
    """Each stage waits until both others are busy; one after another would time out."""
    barrier = threading.Barrier(3, timeout=10)
    met = []

    def read():
        yield 0
        yield 1
        barrier.wait()
        yield 2

    def work(item):
        if item == 1:
            barrier.wait()
        return item

    def consume(item):
        if item == 0:
            barrier.wait()
        met.append(item)

    run_stages(read(), work, consume)
    assert met == [0, 1, 2]


@pytest.mark.parametrize("stage", ["read", "work", "write"])
def test_an_error_on_any_side_stops_the_others_and_reaches_the_caller(stage):
    closed = threading.Event()

    def read():
        try:
            for i in range(10**6):
                if stage == "read" and i == 5:
                    raise OSError("disk gone")
                yield i
        finally:
            closed.set()

    def work(item):
        if stage == "work" and item == 5:
            raise OSError("disk gone")
        return item

    def consume(item):
        if stage == "write" and item == 5:
            raise OSError("disk gone")

    threads = threading.active_count()
    started = time.monotonic()
    with pytest.raises(OSError, match="disk gone"):
        run_stages(read(), work, consume)
    assert closed.is_set()
    assert threading.active_count() == threads
    assert time.monotonic() - started < 30


def test_queues_are_bounded():
    ahead = []
    done = []

    def read():
        for i in range(30):
            ahead.append(i - len(done))
            yield i

    def consume(item):
        time.sleep(0.002)
        done.append(item)

    run_stages(read(), lambda x: x, consume, depth=2)
    assert max(ahead) <= 8
