"""How much of an HDF5 file a program reads: a class that should read little is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np


@contextmanager
def noted_reads(dataset: type) -> Iterator[list[int]]:
    """Note how many bytes each read gives, as long as a ``with`` block lasts.

    Parameters
    ----------
    dataset : type
        ``h5py.Dataset``; this module itself does not need h5py.

    Yields
    ------
    list of int
        Bytes of each ``data[...]``, ``np.array(data)`` and ``data.read_direct(...)`` so far.

    Examples
    --------
    >>> import h5py, tempfile
    >>> with tempfile.TemporaryFile() as stream, h5py.File(stream, "w") as file:
    ...     data = file.create_dataset("bytes", data=np.zeros((10, 8), np.uint8))
    ...     with noted_reads(h5py.Dataset) as reads:
    ...         some, all_of_it = data[[2, 5]], np.array(data)
    >>> reads
    [16, 80]
    """
    reads: list[int] = []
    get, read_direct = (getattr(dataset, name) for name in ("__getitem__", "read_direct"))

    def noted_get(self: Any, *args: Any, **options: Any) -> Any:
        found = get(self, *args, **options)
        reads.append(np.asarray(found).nbytes)
        return found

    def noted_direct(self: Any, dest: Any, source_sel: Any = None, dest_sel: Any = None) -> None:
        read_direct(self, dest, source_sel, dest_sel)
        reads.append(dest.nbytes if dest_sel is None else dest[dest_sel].nbytes)

    with patch.multiple(dataset, __getitem__=noted_get, read_direct=noted_direct):
        yield reads
