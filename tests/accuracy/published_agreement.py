"""Published tables of agreement and of paired tests; see `published` for the rules.

Rows map, columns reference, or as said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.accuracy.published import NAN, Table


@dataclass(frozen=True)
class Agreement:
    """A table of counts, and kappa and what belongs to it as printed."""

    counts: Table
    printed: Mapping[str, str | Sequence[str]]


# R. G. Congalton, "A review of assessing the accuracy of classifications of remotely sensed data",
# Remote Sensing of Environment 37 (1991) 35-46: the table is in myR (hansoleorka/myR,
# man/errormatrix.Rd, by columns); kappa as quoted from Congalton & Green.
CONGALTON = Agreement(
    ((65, 4, 22, 24), (6, 81, 5, 8), (0, 11, 85, 19), (4, 7, 3, 90)),
    {"value": "0.65"},
)
# GRASS r.kappa (OSGeo/grass, raster/r.kappa/testsuite/test_r_kappa.py): class 2 is not on the map,
# class 4 not in the reference.
GRASS = Agreement(
    (
        (4, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 0),
        (0, 1, 4, 0, 0, 0),
        (3, 0, 0, 0, 0, 1),
        (0, 0, 0, 0, 1, 0),
        (0, 2, 0, 0, 0, 2),
    ),
    {
        "overall": "0.61111",
        "value": "0.52091",
        "users": ("1.0", NAN, "0.80", "0.0", "1.0", "0.50"),
        "producers": ("0.571429", "0.0", "1.0", NAN, "1.0", "0.667"),
        "conditional": ("1.0", NAN, "0.742857", "0.0", "1.0", "0.400"),
    },
)
# R. G. Pontius, M. Millones, "Death to Kappa", International Journal of Remote Sensing 32 (2011)
# 4407-4429, its spreadsheet PontiusMatrix26.xlsx as in the tests of teamlucc (azvoleff/teamlucc,
# test-accuracy): quantity and allocation disagreement, of the counts and by strata of known size.
PONTIUS = Agreement(
    ((11, 12, 13, 14), (21, 22, 23, 24), (31, 32, 33, 34), (41, 42, 43, 44)),
    {"quantity": "0.163636", "allocation": "0.586364"},
)
PONTIUS_POPULATION = (100.0, 200.0, 300.0, 400.0)
# Printed as 0.567193, which was cut: it is 0.5671936.
PONTIUS_POPULATION_PRINTED = {"quantity": "0.182234", "allocation": "0.56719"}


@dataclass(frozen=True)
class Paired:
    """A test on paired answers: its data, and what was printed."""

    table: Table
    statistic: str
    p_value: str


# R, mcnemar.test, as quoted in the tests of statsmodels (stats/tests/test_nonparametric.py).
MCNEMAR_CORRECTED = (
    Paired(((101, 121), (59, 33)), "20.67222", "0.000005450095"),
    Paired(((101, 70), (59, 33)), "0.7751938", "0.3786151"),
    Paired(((101, 80), (59, 33)), "2.87769784", "0.08981434"),
)
MCNEMAR_PLAIN = (
    Paired(((101, 121), (59, 33)), "21.35556", "0.000003815136"),
    Paired(((101, 70), (59, 33)), "0.9379845", "0.3327967"),
    Paired(((101, 80), (59, 33)), "3.17266187", "0.07488031"),
)
# VassarStats, as quoted there; the last row from timwh/acc_ass, two maps of water plants.
MCNEMAR_EXACT = (
    Paired(((101, 70), (59, 33)), "59", "0.378688"),
    Paired(((101, 80), (59, 33)), "59", "0.089452"),
    Paired(((101, 30), (60, 33)), "30", "0.00206"),
    Paired(((101, 10), (30, 33)), "10", "0.002221"),
    Paired(((101, 10), (10, 33)), "10", "1.0"),
    Paired(((168, 10), (3, 24)), "3", "0.0923"),
)
# R, mcnemar.test on a 5 x 5 table (Bowker), as quoted there. Left out: a table with two classes
# that are never confused, which R still counts as a degree of freedom.
BOWKER = Paired(
    ((2, 2, 3, 6, 2), (3, 4, 3, 6, 6), (6, 7, 1, 9, 6), (7, 1, 1, 9, 8), (0, 1, 8, 9, 4)),
    "18.76432",
    "0.04336035",
)
# W. J. Conover, "Practical Nonparametric Statistics", page 253, by Dataplot, as quoted there. Rows
# are units, columns maps.
COCHRAN = Paired(
    (
        *((1, 1, 1), (1, 1, 1), (0, 1, 0), (1, 1, 0), (0, 0, 0), (1, 1, 1)),
        *((1, 1, 1), (1, 1, 0), (0, 0, 1), (0, 1, 0), (1, 1, 1), (1, 1, 1)),
    ),
    "2.8",
    "0.246597",
)
