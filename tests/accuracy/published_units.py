"""Published data of regression, clusters and sample size; see `published` for the rules."""

from __future__ import annotations

# A. Tyukavina et al., "Practical global sampling methods for estimating area and map accuracy of
# land cover and change classes" (2025), appendix on the regression estimator under simple random
# sampling: sashatyu/Global_sampling, A2.1.Sample_data.txt and the notebook beside it. Areas of the
# target class in sampled blocks, km2: in truth, and on the map.
TYUKAVINA_REFERENCE = (
    *(83.22147943, 135.1214203, 4.841977255, 49.93288741, 0.98352641, 0.226967444, 11.72666335, 0),
    *(81.25442661, 0.302623464, 27.38743295, 60.82733639, 295.9658435, 137.7693767, 228.859068),
    *(108.1879234, 204.5735281, 0, 0, 5.976816315, 67.48505381, 38.50884876, 204.6491829),
    *(15.35814552, 0, 12.40756629, 38.73581559, 8.322148004, 7.565589039, 204.0439366),
    *(9.154362989, 19.36790779, 0, 2.420988321, 0, 4.085417064, 16.19036051, 42.97254591),
    *(64.23185051, 8.700426874, 109.8523528, 60.14643222, 2.269676896, 7.943867909, 0.453934889),
    *(36.46613869, 26.25259327, 12.40756629, 0.453934889, 106.22087, 41.53508278, 8.700426874),
    *(3.48017075, 5.295912144, 60.97864782, 26.63087276, 3.253203305, 1.8913968, 33.51555946),
    *(0.907870391, 0.756558965, 0.756558965, 0.151311425, 0.529591521, 0, 2.723611784),
    *(11.87797477, 42.14033216, 18.61134883, 27.38743295),
)
TYUKAVINA_MAP = (
    *(5.976763001, 24.89110298, 2.647888969, 15.13138582, 0.151313877, 3.10181773, 8.700307989),
    *(0.756562029, 48.64682456, 1.286170096, 17.17384218, 22.9993869, 199.2783679, 75.95738873),
    *(63.02160668, 68.2408437, 89.50073966, 3.101941518, 0.378271516, 0.529592134, 33.13790076),
    *(20.65427767, 44.48613449, 12.18035556, 0.378277031, 2.572278298, 30.33826159, 1.286166419),
    *(0.226971121, 101.153056, 4.61497059, 4.615055771, 0.302614884, 1.134834771, 0.075659083),
    *(6.354980589, 2.87492321, 41.30820358, 52.42925905, 3.555905209, 7.641164167, 5.825569848),
    *(4.690746721, 3.404430775, 14.75271046, 15.73639804, 11.72683065, 20.50226089, 0.151316941),
    *(18.53603415, 11.4242366, 0.832210695, 3.404517795, 2.572309551, 29.95952679, 13.5422019),
    *(1.740097631, 3.631519557, 4.31240228, 1.134845802, 4.08550776, 0, 6.203708997, 5.220245707),
    *(0.453947758, 0.60525857, 0.83221192, 3.631512816, 4.91768046, 47.28489059),
)
TYUKAVINA_BLOCKS = 27374
TYUKAVINA_MAP_MEAN = 17.40936388
TYUKAVINA_REGRESSION = ("1086017.079202585", "106327.70099311872")
TYUKAVINA_DIRECT = ("1116448.854282674", "205535.113223563")

# The same paper, appendix on sampling with equal probability: 1,259 pixels in ten strata of pixels
# that differ in area, with labels that are shares of the target class (A1.1.1.Sample_data.txt,
# A1.1.1.Strata_info.txt and the notebook beside them). Counted here by stratum, share on the map
# and share in truth, since no other column counts.
TYUKAVINA_PIXELS = (
    *((1, 0, 0, 132), (1, 0, 1, 2), (2, 0, 0, 96), (2, 0, 0.1, 1), (2, 0, 1, 3), (3, 0, 0, 204)),
    *((3, 0, 1, 8), (3, 0.3, 0.1, 1), (4, 0, 0, 109), (5, 0, 0, 143), (5, 0, 1, 5)),
    *((5, 0.2, 0, 1), (5, 0.2, 0.3, 1), (6, 0.5, 0, 1), (6, 0.6, 0.7, 1), (6, 0.7, 0.8, 1)),
    *((6, 1, 0, 44), (6, 1, 1, 53), (7, 0.5, 0.5, 1), (7, 0.7, 0.4, 1), (7, 0.9, 1, 1)),
    *((7, 1, 0, 27), (7, 1, 1, 123), (8, 1, 0, 37), (8, 1, 0.9, 1), (8, 1, 1, 62), (9, 1, 0, 7)),
    *((9, 1, 1, 93), (10, 0.8, 0.5, 1), (10, 1, 0, 37), (10, 1, 1, 62)),
)
# Pixels and total area of each stratum, km2, and the area of a sampled pixel there.
TYUKAVINA_COUNTS = (
    *(788889906, 781490883, 1280971777, 859622001, 909836775),
    *(20652357, 1749051047, 199430534, 986295412, 234157691),
)
TYUKAVINA_AREAS = (
    *(595255.0128, 332992.9026, 946369.3351, 486272.5356, 669855.4746),
    *(14491.30271, 682940.3741, 147704.5099, 414733.6127, 161635.388),
)
TYUKAVINA_PIXEL_AREAS = (
    *(0.000754548, 0.0004261, 0.00073879, 0.000565682, 0.000736237),
    *(0.000701678, 0.000390463, 0.000740631, 0.000420496, 0.000690284),
)
TYUKAVINA_CLASS_AREA = ("1223902.897388578", "31611.10237731219")
TYUKAVINA_OVERALL = ("92.08915972300929", "0.7080369033099312")
TYUKAVINA_PRODUCERS = ("93.62678076530403", "1.3788953825926273")
TYUKAVINA_USERS_ERROR = "1.8257849453559096"

# S. L. Lohr, "Sampling: Design and Analysis", example 5.2: grade points of the four students of
# each of 5 suites, drawn from 100; mean and standard error (the R companion prints 2.826, 0.1637).
# The book was not at hand: the data are quoted, and the printed results follow from them.
LOHR_SUITES = (
    (3.08, 2.60, 3.44, 3.04),
    (2.36, 3.04, 3.28, 2.68),
    (2.00, 2.56, 2.52, 1.88),
    (3.00, 2.88, 3.44, 3.64),
    (2.68, 1.92, 3.28, 3.20),
)
LOHR_N_SUITES = 100
LOHR_PRINTED = ("2.826", "0.1637")

# A planning sheet for forest degradation in Nepal (docs.google.com/spreadsheets, "Calculating
# Ideal Total Sample Size", after Aryal et al. 2021): pixels of six strata, the share of
# degradation expected in each, and the target standard error of its share of the area. It prints
# 1508.009278 units.
NEPAL_PIXELS = (2809258, 326996, 6140120, 22526445, 96047970, 65990510)
NEPAL_SHARES = (0.6, 0.15, 0.2, 0.4, 0.1, 0.35)
NEPAL_TARGET = 0.01
NEPAL_UNITS = 1509
