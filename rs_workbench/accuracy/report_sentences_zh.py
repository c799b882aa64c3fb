"""Sentences that other parts of the core write in English, put into Chinese.

Each is a pattern that must match the whole sentence, and its translation with the groups put in.
What is not listed stays English on a Chinese page, and is marked as English.
"""

CHINESE_SENTENCES = (
    (r"ratio of sample totals", "样本总量之比"),
    (
        r"ratio of sample totals, variance as for a simple random sample",
        "样本总量之比，方差按简单随机抽样",
    ),
    (
        r"stratified ratio estimator \(Stehman 2014; where the strata .*",
        "分层比率估计量（Stehman 2014；若层即图上类别，则为 Olofsson et al. 2014 的估计量）",
    ),
    (
        r"post-stratified estimator \(Cochran 1977, 5A\.42\)",
        "事后分层估计量（Cochran 1977, 5A.42）",
    ),
    (r"ratio of cluster totals", "群总量之比"),
    (
        r"(\d+) of (\d+) units drawn in stratum '(.*)' were not used: .*",
        "层“{2}”抽取的 {1} 个单元中有 {0} 个未使用：估计假定它们与其余单元相似",
    ),
    (
        r"a systematic sample has no unbiased variance estimator: .*",
        "系统抽样没有无偏的方差估计量：此处按简单随机抽样计算，通常偏大",
    ),
    (r"only (\d+) clusters: intervals .*", "只有 {0} 个群：群这样少时，区间往往过窄"),
    (
        r"post-stratum '(.*)' has only (\d+) units: its estimate is unstable",
        "事后层“{0}”只有 {1} 个单元：其估计不稳定",
    ),
    (
        r"no error was seen among the units mapped as (\d+) of the classes, .*",
        "有 {0} 类的单元中没有发现错误，标准误为 0：这些类给出 Wilson 区间",
    ),
    (
        r"(\d+) % of the variance of the overall accuracy comes from stratum '(.*)' "
        r"\((\d+) % of the population\): .*",
        "总体精度方差的 {0}% 来自层“{1}”（占总体的 {2}%）：在该层增加单元，或设缓冲层，最有帮助",
    ),
)
