"""Published worked examples of accuracy assessment: counts, mapped areas and the printed results.

Rows map, columns reference throughout; where a source has it the other way round, the table was
transposed and the comment says so. Results are kept as the text that was printed, since its number
of digits says how exact it is: `agrees` allows half a unit of the last one.

Left out, since they do not follow from their own formulas: the SE of the producer's accuracy of
class B in Stehman (2014) as quoted, 0.114 (0.1165 by equation 28); areas of Olofsson et al. (2013)
that were rounded on the way, 45,651 and 21,502 ha; standard errors of the producer's accuracy and
of post-stratified areas in the reports of AcATaMa; standard errors of user's accuracy of aa_card
in mapac, which divides by n (Card) and not by n - 1 (Olofsson); its standard errors of F1, which
lack a covariance; and the variance of kappa in GRASS r.kappa.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

Table = tuple[tuple[int, ...], ...]
NAN = "nan"


def half_unit(text: str) -> float:
    """Half a unit of the last digit of a printed number."""
    exponent = Decimal(text).as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.5 * 10.0**exponent


def agrees(value: float, text: str) -> bool:
    """Whether a number rounds to the printed one; NaN stands for a number that is undefined."""
    if text == NAN:
        return value != value
    # What lies half way between two digits may have been rounded either way.
    return abs(value - float(text)) <= half_unit(text) * (1 + 1e-6)


@dataclass(frozen=True)
class Stratified:
    """A sample stratified by the classes of the map, and what was printed about it.

    `printed` maps a figure to what was printed of it: one text, or one for each class, empty where
    it was not printed. `half_` is the half width of the interval with `z`.
    """

    counts: Table
    mapped: tuple[float, ...]
    z: float | None
    printed: Mapping[str, str | Sequence[str]]


# P. Olofsson, G. M. Foody, S. V. Stehman, C. E. Woodcock, "Making better use of accuracy data in
# land change studies", Remote Sensing of Environment 129 (2013) 122-131, example 1 (tables 1 to 4,
# equations 9 to 16): deforestation, stable forest, stable non-forest; 30 m pixels. Digits as in
# the tests of PyMapAccuracy (agcopenhaver/PyMapAccuracy, tests/test_olofsson.py), taken there from
# the R package mapaccuracy, z = qnorm(0.975).
OLOFSSON_2013_1 = Stratified(
    counts=((97, 0, 3), (3, 279, 18), (2, 1, 97)),
    mapped=(22353, 1122543, 610228),
    z=None,
    printed={
        "overall": "0.9444168",
        "users": ("0.97", "0.93", "0.97"),
        "producers": ("0.4806308", "0.9941887", "0.8969259"),
        "half_users": ("0.03360292", "0.02892031", "0.03360292"),
        "half_producers": ("0.22453045", "0.01132522", "0.04120541"),
        "share": ("0.02570326", "", ""),
        "area": ("45112.4", "", ""),
        "half_area": ("21072.37", "", ""),
    },
)

# The same paper, example 2, table 6; areas are shares of the map. Digits as in the same tests,
# where they are compared to 1 %; the third producer's accuracy, 0.97664 there, is 0.97665.
OLOFSSON_2013_2 = Stratified(
    counts=((127, 66, 54), (2, 322, 17), (0, 15, 540)),
    mapped=(0.007, 0.295, 0.698),
    z=None,
    printed={
        "overall": "0.96",
        "half_overall": "0.01",
        "users": ("0.51417", "0.94428", "0.97297"),
        "producers": ("0.67535", "0.93072", ""),
        "half_users": ("0.06246", "0.02438", "0.01350"),
        "half_producers": ("0.30458", "0.02938", "0.00960"),
    },
)

# P. Olofsson, G. M. Foody, M. Herold, S. V. Stehman, C. E. Woodcock, M. A. Wulder, "Good practices
# for estimating area and assessing accuracy of land change", Remote Sensing of Environment 148
# (2014) 42-57, table 8 and page 54: deforestation, forest gain, stable forest, stable non-forest;
# areas in ha (30 m pixels). Digits as in the same tests, z = qnorm(0.975).
OLOFSSON_2014 = Stratified(
    counts=((66, 0, 5, 4), (0, 55, 8, 12), (1, 0, 153, 11), (2, 1, 9, 313)),
    mapped=(18_000, 13_500, 288_000, 580_500),
    z=None,
    printed={
        "overall": "0.9465119",
        "half_overall": "0.01848328",
        "users": ("0.8800000", "0.7333333", "0.9272727", "0.9630769"),
        "producers": ("0.7486614", "0.8471564", "0.9345089", "0.9616090"),
        "half_users": ("0.07403962", "0.10075516", "0.03974464", "0.02053312"),
        "half_producers": ("0.21330593", "0.25440369", "0.03432379", "0.01836120"),
        "area": ("21157.76", "11686.15", "285769.9", "581386.2"),
        "half_area": ("6157.521", "3755.757", "15509.55", "16281.36"),
    },
)

# The same table in pixels, with z = 1.96: the figures of deforestation that are often quoted.
OLOFSSON_2014_PIXELS = Stratified(
    counts=OLOFSSON_2014.counts,
    mapped=(200_000, 150_000, 3_200_000, 6_450_000),
    z=1.96,
    printed={"area": ("235086", "", "", ""), "half_area": ("68418", "", "", "")},
)

# D. H. Card's estimator (Photogrammetric Engineering and Remote Sensing 48 (1982) 431-439) in the
# R package mapac, example of aa_card with olofsson=TRUE (pages.cms.hu-berlin.de/pflugmad/mapac).
# R fills a matrix by columns.
MAPAC_CARD = Stratified(
    counts=((410, 26), (67, 369)),
    mapped=(828837, 33067283),
    z=1.96,
    printed={
        "overall": "0.84862969",
        "se_overall": "0.01687046",
        "users": ("0.9403670", "0.8463303"),
        "producers": ("0.132986", "0.998237"),
        "share": ("0.1729063", "0.8270937"),
        "se_share": ("0.01687046", "0.01687046"),
        "matrix": ("0.0229941", "0.001458163", "0.1499122", "0.825635581"),
    },
)

# AcATaMa (SMByC/AcATaMa, tests/data/analysis/accuracy_assessment_stratified_revised.html): stable
# forest, deforestation, non-stable forest of the Tinigua national park, 2019-2020; areas in ha. It
# drops trailing zeros.
ACATAMA_STRATIFIED = Stratified(
    counts=((287, 1, 25), (3, 43, 4), (11, 1, 127)),
    mapped=(145078.56, 5703.75, 64029.69),
    z=1.96,
    printed={
        "overall": "0.91445",
        "se_overall": "0.0128",
        "users": ("0.91693", "0.86", "0.91367"),
        "se_users": ("0.01562", "0.04957", "0.02391"),
        "producers": ("0.96093", "0.84147", "0.82927"),
        "share": ("0.64445", "0.02714", "0.32841"),
        "se_share": ("0.01261", "0.00331", "0.01262"),
        "area": ("138436.62858", "5829.38003", "70545.99139"),
        "se_area": ("2709.37784", "712.02037", "2711.10722"),
        "low_area": ("133126.24802", "4433.8201", "65232.22124"),
        "high_area": ("143747.00915", "7224.93996", "75859.76153"),
        "matrix": (
            *("0.61927", "0.00216", "0.05394"),
            *("0.00159", "0.02283", "0.00212"),
            *("0.02359", "0.00214", "0.27234"),
        ),
    },
)

# pontiPy (verma-priyanka/pontiPy, Functionality/population.ipynb): a sample taken to the
# population by strata of known size; built, barren, forest, water, in ha.
PONTIPY_POPULATION = Stratified(
    counts=((612, 0, 0, 0), (168, 561, 0, 0), (292, 83, 2197, 0), (0, 0, 0, 183)),
    mapped=(6666, 2114, 11111, 1998),
    z=None,
    printed={"area": ("8414.612414", "1985.381754", "9491.005832", "1998.0")},
)

STRATIFIED = {
    "Olofsson 2013, example 1": OLOFSSON_2013_1,
    "Olofsson 2013, example 2": OLOFSSON_2013_2,
    "Olofsson 2014, table 8": OLOFSSON_2014,
    "Olofsson 2014, pixels": OLOFSSON_2014_PIXELS,
    "Card 1982 in mapac": MAPAC_CARD,
    "AcATaMa, stratified": ACATAMA_STRATIFIED,
    "pontiPy, population": PONTIPY_POPULATION,
}


# S. V. Stehman, "Estimating area and map accuracy for stratified random sampling when the strata
# are different from the map classes", International Journal of Remote Sensing 35 (2014) 4923-4939,
# table 2: ten units in each of four strata; classes A to D.
STEHMAN_STRATUM = "A" * 10 + "B" * 10 + "C" * 10 + "D" * 10
STEHMAN_MAP = "AAAAAAABBB" + "ABBBBBBBBB" + "BBCCCCCCBB" + "DDDDDDDDDD"
STEHMAN_REFERENCE = "AAAAACBABC" + "ABBBBBAABB" + "CCCCCDDBBA" + "DDDDDDDCCB"
STEHMAN_POPULATION = {"A": 40_000, "B": 30_000, "C": 20_000, "D": 10_000}

# Pages 4932 to 4936, as quoted in the notebook of PyMapAccuracy; with the finite population
# correction, as the paper has it.
STEHMAN_PAPER = {
    "overall": "0.63",
    "se_overall": "0.085",
    "users": ("", "0.574", "", ""),
    "se_users": ("", "0.125", "", ""),
    "producers": ("", "0.794", "", ""),
    "share": ("0.35", "", "0.20", ""),
    "se_share": ("0.082", "", "0.064", ""),
    "matrix": (*[""] * 6, "0.08", *[""] * 9),
}
# The same from R: mapaccuracy::stehman2014, as in tests/test_stehman2014.py and the notebook of
# PyMapAccuracy. With the correction.
STEHMAN_FPC = {
    "overall": "0.6300",
    "se_overall": "0.08464219",
    "users": ("0.7419", "0.5744681", "0.5000", "0.7000"),
    "se_users": ("", "0.1247822", "", ""),
    "producers": ("0.6571", "0.7941176", "0.3000", "0.6364"),
    "se_producers": ("", "0.1165479", "", ""),
    "share": ("0.3500", "0.3400", "0.2000", "0.1100"),
    "se_share": ("0.0822478", "0.0759", "0.06427977", "0.0307"),
}
# Without: mapac::aa_stratified, its example.
STEHMAN_NO_FPC = {
    "users": ("0.7419355", "0.5744681", "0.5000000", "0.7000000"),
    "se_users": ("0.1645627", "0.1248023", "0.2151657", ""),
    "producers": ("0.6571429", "0.7941176", "0.3000000", ""),
    "se_producers": ("0.1477318", "0.1165671", "0.1504438", ""),
    "f1": ("0.6969697", "0.6666667", "0.3750000", ""),
    "matrix": (
        *("0.23", "0.04", "0.04", "0.00"),
        *("0.12", "0.27", "0.08", "0.00"),
        *("0.00", "0.02", "0.06", "0.04"),
        *("0.00", "0.01", "0.02", "0.07"),
    ),
}

# AcATaMa, .../accuracy_assessment_simple_revised.html and ..._simple_post_stratify_revised.html:
# 500 points drawn at random from the map of ACATAMA_STRATIFIED. Its areas from the simple sample
# have variances divided by n, not n - 1, so only shares are kept.
ACATAMA_SIMPLE: Table = ((325, 0, 15), (0, 17, 0), (7, 1, 135))
ACATAMA_SIMPLE_PRINTED = {
    "overall": "0.954",
    "se_overall": "0.00938",
    "users": ("0.95588", "1.0", "0.94406"),
    "producers": ("0.97892", "0.94444", "0.9"),
    "area": ("142635.168", "7733.232", "64443.6"),
}
ACATAMA_POST_STRATIFIED_PRINTED = {
    "overall": "0.95353",
    "users": ("0.95588", "1.0", "0.94406"),
    "producers": ("0.9779", "0.92721", "0.90425"),
    "share": ("0.66017", "0.02864", "0.31119"),
    "area": ("141812.35578", "6151.51007", "66848.13415"),
}
ACATAMA_PIXEL_HA = 0.09
