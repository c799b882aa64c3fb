"""Sentences that other parts of the core write in English, put into Chinese.

Each is a pattern that must match the whole sentence, and its translation with the groups put in.
What is not listed stays English on a Chinese page, and is marked as English.
"""

_BLOCKS = r"neighbouring blocks of (\d+) x (\d+) px "
_NUMBERS = r" \(Moran's I (\S+), by chance (\S+), z (\S+)\)"
_IN_NUMBERS = "（Moran's I {2}，偶然值 {3}，z {4}）"
CHINESE_SENTENCES = (
    (
        _BLOCKS + r"are no more alike than chance would have it" + _NUMBERS,
        "{0} × {1} 像元的相邻区块并不比偶然更相似" + _IN_NUMBERS,
    ),
    (
        _BLOCKS + r"are alike" + _NUMBERS + r": errors go together over less than (\d+) px; .*",
        "{0} × {1} 像元的相邻区块相似" + _IN_NUMBERS + "：误差在不到 {5} 像元的范围内相关；"
        "请取这样大的区块",
    ),
    (
        _BLOCKS + r"are alike" + _NUMBERS + r": errors go together over more than (\d+) px; .*",
        "{0} × {1} 像元的相邻区块相似" + _IN_NUMBERS + "：误差在超过 {5} 像元的范围内相关；"
        "请取更大的区块",
    ),
    (
        r"too little to tell how far errors go together: .*",
        "区块太少，无法判断误差在多大范围内相关",
    ),
    (
        r"reference resampled to the map's grid by nearest neighbour \((.*)\)",
        "参考数据按最近邻重采样到图的栅格（{0}）",
    ),
    (
        r"reference resampled to the map's grid by majority \((.*)\)",
        "参考数据按众数重采样到图的栅格（{0}）",
    ),
    (r"labels on the pixels of the scenes", "标签与影像像元一一对应"),
    (
        r"(\S+) training chips leak: they share ground with held-out chips .*",
        "有 {0} 个训练样块泄漏：它们与留出样块重叠或相邻，因此数字说明网络记住了多少，"
        "而不是制图有多好",
    ),
    (
        r"no held-out pixel has a label: .*",
        "没有任何留出像元带有标签：无法说明模型的好坏",
    ),
    (
        r"no held-out pixel is labelled (.*): how well that is mapped cannot be said",
        "没有任何留出像元标为 {0}：无法说明其制图水平",
    ),
    (
        r"the held-out chips lie in (\d+) blocks of (\d+) px, and an interval needs at least "
        r"(\d+): none is given",
        "留出样块分布在 {0} 个边长 {1} 像元的区块中，而区间至少需要 {2} 个：不给出区间",
    ),
    (
        r"the random forest, which shows what single pixels give, needs scikit-learn, .*",
        "随机森林（说明单个像元能做到什么）需要 scikit-learn，但没有安装：请运行  "
        "pip install scikit-learn",
    ),
    (r"same size, no georeference", "大小相同，无地理参考"),
    (r"class of the pixel under each point", "取每个点所在像元的类别"),
    (
        r"pixels whose centre lies in a polygon, (\d+) polygons in all",
        "取中心落在多边形内的像元，共 {0} 个多边形",
    ),
    (
        r"neither '(.*)' nor '(.*)' has a coordinate system: .*",
        "“{0}”和“{1}”都没有坐标系：假定两者的像元一一重合",
    ),
    (
        r"part of '(.*)' lies beyond the map and was not compared",
        "“{0}”有一部分在图的范围之外，未作比较",
    ),
    (r"rows of '(.*)' without geometry: (\d+)", "“{0}”中没有几何的行数：{1}"),
    (
        r"points that are right by their second acceptable label: (\d+)",
        "按第二可接受标签算作正确的点数：{0}",
    ),
    (
        r"polygons too small to hold the centre of a pixel: (\d+)",
        "过小而不含任何像元中心的多边形数：{0}",
    ),
    (r"polygons wholly outside the map: (\d+)", "完全在图的范围之外的多边形数：{0}"),
    (
        r"'(.*)' has no class on (\S+) of the (\S+) compared pixels, where it counts as wrong",
        "“{0}”在 {2} 个比较像元中的 {1} 个上没有类别，按错误计",
    ),
    (
        r"'(.*)' has no class on (\S+) of the (\S+) compared points, where it counts as wrong",
        "“{0}”在 {2} 个比较点中的 {1} 个上没有类别，按错误计",
    ),
    (r"paired difference by the design", "按抽样设计的配对差异"),
    (r"McNemar, exact", "McNemar 精确检验"),
    (
        r"named by the user; strata and sizes from the map",
        "设计由用户指定；层及其大小取自图",
    ),
    (
        r"grid of (\S+) rows by (\S+) columns with a random start",
        "随机起点的格网，间隔 {0} 行 × {1} 列",
    ),
    (r"bootstrap of (\d+) blocks", "{0} 个区块的自助法"),
    (r"bootstrap of (\d+) polygons", "{0} 个多边形的自助法"),
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
        r"every unit mapped as (\d+) of the classes was wrong, .*",
        "有 {0} 类的单元全部错误，标准误为 0：这些类给出 Wilson 区间",
    ),
    (
        r"stratum '(.*)' has (\d+) labelled units, but (\d+) were drawn: .*",
        "层“{0}”有 {1} 个已标注单元，但只抽取了 {2} 个：后来添加的单元不是随机抽取的，请去掉",
    ),
    (
        r"the sample was drawn from (\S+) ha, but the classes of the map cover (\S+) ha: .* "
        r"for (\S+) ha",
        "样本抽自 {0} ha，而图上各类共 {1} ha：请检查两者的无数据值是否相同；面积按 {2} ha 估计",
    ),
    (
        r"(\d+) % of the variance of the overall accuracy comes from stratum '(.*)' "
        r"\((\d+) % of the population\): .*",
        "总体精度方差的 {0}% 来自层“{1}”（占总体的 {2}%）：在该层增加单元，或设缓冲层，最有帮助",
    ),
)
CHINESE_PIECES = (
    (r"coordinate system (\S+), map (\S+)", r"坐标系 \1，图为 \2"),
    (
        r"pixel size (\S+) x (\S+) and another orientation, map (\S+) x (\S+)",
        r"像元大小 \1 × \2 且方向不同，图为 \3 × \4",
    ),
    (r"pixel size (\S+) x (\S+), map (\S+) x (\S+)", r"像元大小 \1 × \2，图为 \3 × \4"),
    (
        r"origin (\(.*?\)), map (\(.*?\)), which is (\S+) columns and (\S+) rows off",
        r"原点 \1，图为 \2，相差 \3 列、\4 行",
    ),
)
"""Parts of those sentences that stand in their groups; put into Chinese afterwards."""
