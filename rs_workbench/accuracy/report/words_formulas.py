"""The words of the formulas, in English and in Chinese."""

FORMULAS_ENGLISH = {
    "formulas.title": "Formulas",
    "formulas.caption": "How each figure was computed. p with indices i, j: share of the area "
    "mapped as i that is j in the reference; +: summed over",
    "formulas.what": "Figure",
    "formulas.how": "How",
    "formulas.source": "Source",
    "formulas.interval": "Confidence {confidence} %, z = {z}; finite population correction: "
    "{fpc}.",
    "formulas.on": "on",
    "formulas.off": "off",
    "formulas.estimator": "Estimator: {estimator}.",
    "formula.matrix": "Area shares",
    "formula.matrix.how": "each unit of the sample stands for (population of its stratum) / "
    "(units used there) units of the map; p_ij is the weighted share of units with classes i, j",
    "formula.counts": "Shares",
    "formula.counts.how": "p_ij = n_ij / n: every unit counts the same",
    "formula.scores": "Accuracies",
    "formula.scores.how": "overall: sum of p_ii; user's: p_ii / p_i+; producer's: p_jj / p_+j; "
    "F1: 2 p_ii / (p_i+ + p_+i); IoU: p_ii / (p_i+ + p_+i − p_ii)",
    "formula.area": "Adjusted area",
    "formula.area.how": "area of the map × p_+j, the share of the class in the reference",
    "formula.variance": "Standard errors",
    "formula.variance.how": "sum over strata of (1 − f) n / (n − 1) × the sum of squared "
    "deviations of the weighted, linearised values from their stratum mean; f is the sampled "
    "part with finite population correction, else 0; clusters are summed first",
    "formula.post": "Standard errors",
    "formula.post.how": "(1 − f) / n × sum of W s² + 1 / n² × sum of (1 − W) s², with the share W "
    "of a stratum and the variance s² of the linearised values within it",
    "formula.wald": "Intervals",
    "formula.wald.how": "estimate ± z × standard error, cut off at 0 and 100 %; Wilson's where "
    "the standard error is 0",
    "formula.wilson": "Intervals",
    "formula.wilson.how": "Wilson's score interval with the effective number of units that the "
    "standard error implies",
    "formula.logit": "Intervals",
    "formula.logit.how": "estimate ± z × standard error on the logit scale; Wilson's where the "
    "standard error is 0",
    "formula.boundary": "Borders",
    "formula.boundary.how": "F: harmonic mean of the shares of both borders that lie within the "
    "tolerance of the other; IoU: of the inner bands as wide as the tolerance; distances between "
    "the pixels of both borders, both ways",
    "formula.blocks": "Blocks",
    "formula.blocks.how": "scores of each block from its own counts; the score of all blocks "
    "from their sum, its error by leaving out each block in turn",
    "formula.disagreement": "Disagreement",
    "formula.disagreement.how": "quantity: half the sum of |p_j+ − p_+j|; exchange: sum over "
    "pairs of 2 min(p_ij, p_ji); shift: the rest of 1 − overall",
}

FORMULAS_CHINESE = {
    "formulas.title": "公式",
    "formulas.caption": "各数字的计算方法。带下标 i、j 的 p：图上为 i、参考为 j 的面积比例；+ "
    "表示求和",
    "formulas.what": "数字",
    "formulas.how": "方法",
    "formulas.source": "出处",
    "formulas.interval": "置信度 {confidence}%，z = {z}；有限总体校正：{fpc}。",
    "formulas.on": "开",
    "formulas.off": "关",
    "formulas.estimator": "估计量：{estimator}。",
    "formula.matrix": "面积比例",
    "formula.matrix.how": "样本中每个单元代表图上（所在层总体）/（该层所用单元数）个单元；p_ij"
    " 为类别 i、j 单元的加权比例",
    "formula.counts": "比例",
    "formula.counts.how": "p_ij = n_ij / n：各单元权重相同",
    "formula.scores": "精度",
    "formula.scores.how": "总体：p_ii 之和；用户：p_ii / p_i+；生产者：p_jj / p_+j；F1：2 p_ii"
    " / (p_i+ + p_+i)；交并比：p_ii / (p_i+ + p_+i − p_ii)",
    "formula.area": "校正面积",
    "formula.area.how": "图的面积 × p_+j，即参考数据中该类的比例",
    "formula.variance": "标准误",
    "formula.variance.how": "对各层求和：(1 − f) n / (n − 1) × 加权线性化值与层均值之差的平方"
    "和；f 为抽样比（启用有限总体校正时），否则为 0；群内先求和",
    "formula.post": "标准误",
    "formula.post.how": "(1 − f) / n × Σ W s² + 1 / n² × Σ (1 − W) s²，W 为层的比例，s² 为层内"
    "线性化值的方差",
    "formula.wald": "区间",
    "formula.wald.how": "估计值 ± z × 标准误，在 0 和 100% 处截断；标准误为 0 时用 Wilson 区间",
    "formula.wilson": "区间",
    "formula.wilson.how": "Wilson 得分区间，单元数取标准误所对应的有效单元数",
    "formula.logit": "区间",
    "formula.logit.how": "在 logit 尺度上取估计值 ± z × 标准误；标准误为 0 时用 Wilson 区间",
    "formula.boundary": "边界",
    "formula.boundary.how": "F：两条边界各自落在对方容差内的比例的调和平均；交并比：宽度等于容差的"
    "内侧带的交并比；距离：两条边界像元之间的双向距离",
    "formula.blocks": "区块",
    "formula.blocks.how": "各区块的得分由其自身计数得出；全部区块的得分由计数之和得出，"
    "其误差由逐一去掉各区块得出",
    "formula.disagreement": "不一致",
    "formula.disagreement.how": "数量：|p_j+ − p_+j| 之和的一半；交换：各类别对 2 min(p_ij, "
    "p_ji) 之和；移位：1 − 总体精度的其余部分",
}
