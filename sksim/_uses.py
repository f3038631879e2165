"""When to use each measure, when not, and what to take instead.

Names in braces are links to other measures, where there can be links.
"""

import re
from typing import NamedTuple


class Use(NamedTuple):
    """What a measure is for, in three sentences without their ends.

    Attributes
    ----------
    when, not_when, instead : str
        They go on "Use it when", "Not when" and "Instead take".
    """

    when: str
    not_when: str
    instead: str


USES = {
    # ----- canonical correlation
    "MeanCCA": Use(
        "the question is whether the smaller space of features is contained in the "
        "larger one, however mixed, and rows are many times the columns",
        "rows are few (at r + r' >= N correlations are 1 by construction), or weak "
        "directions are noise",
        "{PWCCA} or {SVCCA} where variance matters, {CKA} for few rows",
    ),
    "MeanSquaredCCA": Use(
        "you want the share of one space that is in the other, as Yanai's GCD, or a "
        "chance level that is known in closed form",
        "rows are few, or weak directions are noise",
        "{MeanCCA} as in papers that average correlations, {CKA} for few rows",
    ),
    "PWCCA": Use(
        "one of the two is the reference, and its strong directions are to count more",
        "it should not matter which model comes first, or rows are few",
        "{SVCCA} for a symmetric measure, {OrthogonalProcrustes} for few rows",
    ),
    "SVCCA": Use(
        "weak directions are noise, and the strong ones are to be compared whatever "
        "their sizes",
        "the threshold on variance would decide the result: it may keep no more than "
        "one amplified direction",
        "{PWCCA} for weights in place of a threshold, {CKA} for weights by variance",
    ),
    # ----- alignment
    "AlignedCosine": Use(
        "you want one number for each row: which inputs two models place differently "
        "after the best rotation",
        "the lengths of the rows matter, or columns are nearly as many as rows",
        "{OrthogonalProcrustes} for lengths too, {PointwiseKernelAlignment} for rows "
        "without a map",
    ),
    "AngularShapeMetric": Use(
        "distances of many models are to be clustered or mapped: it is a metric, an "
        "angle",
        "the scale of the representations matters",
        "{OrthogonalProcrustes} with ``scale=False``, {CKA} where no metric is needed",
    ),
    "ContraSim": Use(
        "there are enough rows to learn from, and differences that tell no two rows "
        "apart should not count",
        "rows are few against columns, or no training should come between the two",
        "{CKA} without training, {LinearRegressionSimilarity} for one direction",
    ),
    "CorrelationMatch": Use(
        "single neurons matter: has each unit a counterpart that reacts to the same "
        "inputs?",
        "the same features may be spread over other units, as after a rotation",
        "{PermutationProcrustes} where strength matters too, {OrthogonalProcrustes} "
        "where units don't",
    ),
    "LinearRegressionSimilarity": Use(
        "the question has a direction: can y, such as voxels, be predicted linearly "
        "from X?",
        "it should not matter which model comes first, or you would read the fitted "
        "value: only that of new rows tells where columns are many",
        "{MeanSquaredCCA} for a symmetric measure, {CKA} for few rows",
    ),
    "MaximumMatching": Use(
        "groups of neurons may stand for one another, and the share of neurons with a "
        "match is the answer",
        "rows are not many more than columns, or you have no tolerance in mind",
        "{PartialSoftMatching} for single neurons, {MeanCCA} for whole spaces",
    ),
    "OrthogonalProcrustes": Use(
        "two networks, or a network and its changed copy, are compared: it sees what "
        "is removed from weaker directions, and is a metric",
        "columns are nearly as many as rows, where rotations fit anything: set "
        "``debias``, or read it beside its chance level",
        "{CKA} with ``debias`` for few rows, {PermutationProcrustes} where single "
        "neurons count",
    ),
    "PartialSoftMatching": Use(
        "some neurons may have no counterpart at all, and should not spoil the others",
        "all neurons have to be accounted for",
        "{SoftMatching}, which matches every neuron",
    ),
    "PartialWhiteningShapeMetric": Use(
        "you want a metric between rotations and all linear maps, by one parameter",
        "rows are few and ``alpha`` is small: whitened noise counts in full",
        "{AngularShapeMetric} without whitening, {MeanCCA} with all of it",
    ),
    "PermutationProcrustes": Use(
        "networks have the same width and single units are to be matched one to one",
        "widths differ, or units may mix",
        "{SoftMatching} for unequal widths, {OrthogonalProcrustes} for mixtures",
    ),
    "SoftMatching": Use(
        "single neurons matter and the widths differ",
        "units may mix, or many of them are dead",
        "{OrthogonalProcrustes} for mixtures, {PartialSoftMatching} where some have no "
        "counterpart",
    ),
    # ----- similarity of similarities
    "CKA": Use(
        "layers of two networks are compared, of any widths and from few rows: with "
        "``debias`` unrelated ones are at 0",
        "a copy is to be checked for what it lost (weak directions hardly count), or "
        "single rows lie far out (one can decide the value)",
        "{OrthogonalProcrustes} for weaker directions, {MutualKNN} or {RSA} against "
        "outliers",
    ),
    "DecodingSimilarity": Use(
        "what counts is whether ridge read-outs of the two agree, with a penalty that "
        "you can name",
        "you have no penalty in mind: from CCA to CKA it is all one family",
        "{GULP} for the distance of the same read-outs, {CKA} for a very large penalty",
    ),
    "DistanceCorrelation": Use(
        "dependence may be of any form, not linear only",
        "you want to know how alike the geometry is: strong dependence is not likeness",
        "{CKA} for linear geometry, {HSIC} with a kernel of your choice",
    ),
    "EigenspaceOverlap": Use(
        "embeddings are compressed, and which directions are left is the question",
        "rows are hardly more than columns, or strong directions should count more",
        "{MeanSquaredCCA} for centred spaces, {NormalizedBures} with variance",
    ),
    "FeatureReweightedRSA": Use(
        "a model may have the right features at the wrong strengths, as of recordings",
        "rows are few against features, and no new ones are there to score on",
        "{RSA} for the features as they are, {LinearRegressionSimilarity} for single "
        "voxels",
    ),
    "GULP": Use(
        "you care for what ridge regression can predict from either, over all targets",
        "you have no penalty in mind",
        "{DecodingSimilarity} for a similarity of the same, {OrthogonalProcrustes} for "
        "the geometry",
    ),
    "HSIC": Use(
        "dependence is tested, with a kernel that you choose",
        "values of different pairs are to be compared: it grows with the sizes of both",
        "{CKA}, which is the same, normalised",
    ),
    "MinibatchCKA": Use(
        "rows come in batches once, and D x D matrices of all layers would not fit in "
        "memory",
        "all rows fit, or linear {CKA} can be streamed: that is exact",
        "{CKA} with ``partial_fit``",
    ),
    "NormalizedBures": Use(
        "directions are to count by their standard deviation: more of the weak ones "
        "than in CKA",
        "columns are many against rows, and chance is not subtracted",
        "{CKA} for a debiased number, {AngularShapeMetric} for its angle",
    ),
    "PointwiseKernelAlignment": Use(
        "you want to know which single inputs are represented differently",
        "a few rows lie far out: each row's similarities to them outweigh the rest",
        "{AlignedCosine} after a rotation, {NeighborJaccard} for neighbours of a row",
    ),
    "RSA": Use(
        "the other side is known by dissimilarities only, as from judgements or "
        "recordings, or only their order is to be trusted",
        "large differences should count more than small ones, or rows are very many",
        "{CKA} for sizes and many rows, {FeatureReweightedRSA} for unknown strengths",
    ),
    "RSMNormDifference": Use(
        "both similarity matrices are in one unit, and their absolute difference is "
        "meant",
        "the representations differ in scale for no reason of interest",
        "{RSA} or {CKA}, which don't see the scale",
    ),
    "RiemannianDistance": Use(
        "ratios of variances count, those of weak directions as much as of strong ones",
        "weak directions are noise, or rows are many: it decomposes N x N matrices",
        "{PartialWhiteningShapeMetric} for a metric in between, {CKA} for the strong "
        "directions",
    ),
    # ----- neighbours
    "CKNNA": Use(
        "similarity of near rows is to count by its size, and far ones not at all",
        "neighbours that are not shared should count by more than their norms",
        "{MutualKNN} for shares only, {CKA} for all pairs",
    ),
    "CycleKNN": Use(
        "you ask whether two steps of retrieval, into the other space and back, return",
        "rows are few against k: by chance it is near 1 - exp(-k² / N)",
        "{MutualKNN}, whose chance level is k / (N - 1)",
    ),
    "GraphBasedSimilarity": Use(
        "each row's cosines with all others are the object, as for adversarial images",
        "activations have a common shift, such as after ReLU: all cosines go to 1",
        "{PointwiseKernelAlignment}, which centres",
    ),
    "JointRankJaccard": Use(
        "which neighbours are shared and in what order are to be one number",
        "a low value has to be explained: it may be either",
        "{NeighborJaccard} and {RankSimilarity}, its two factors",
    ),
    "ManifoldKernelAlignment": Use(
        "rows lie on a manifold of uneven density, and local structure is meant",
        "density itself is a difference that counts",
        "{CKNNA} or {CKA} with an RBF kernel",
    ),
    "MutualKNN": Use(
        "local structure is meant, outliers should not decide, and the two are of "
        "different kinds",
        "values at different numbers of rows, or different k, are to be compared as "
        "they are",
        "{CKA} for global structure, {CKNNA} for sizes too",
    ),
    "NeighborJaccard": Use(
        "you want the neighbours' overlap row by row, as for embeddings",
        "the order of the neighbours matters",
        "{MutualKNN} for a share that is easier to read, {JointRankJaccard} with order",
    ),
    "QuadrupletAgreement": Use(
        "the order of all distances is meant, and 1/2 as the value by chance helps",
        "only distances from one and the same row can be compared",
        "{TripletAgreement} for one row's distances, {RSA} with Spearman's correlation",
    ),
    "RankSimilarity": Use(
        "neighbours are known to be shared, and their order is the question",
        "few are shared: their number is not seen",
        "{JointRankJaccard} or {SharedNeighborSequence}, which see both",
    ),
    "SecondOrderCosine": Use(
        "how similar neighbours are counts, as of word embeddings over time",
        "activations have a common shift, such as after ReLU",
        "{CKNNA} for neighbours by a centred kernel, {NeighborJaccard} for lists only",
    ),
    "SharedNeighborSequence": Use(
        "lists of neighbours are read from the top, as in retrieval",
        "order within the list is of no interest",
        "{MutualKNN}",
    ),
    "TripletAgreement": Use(
        "odd-one-out judgements or retrieval are the use: which of two is nearer?",
        "it matters by how much, or distances of different rows are to be compared",
        "{QuadrupletAgreement} for all distances, {RSA} for a correlation",
    ),
    # ----- topology
    "GeometryScore": Use(
        "two sets of rows, such as generated and real ones, may differ in their holes",
        "rows are few, or clusters are what differs: only loops count",
        "{RTD} for rows in pairs, {IMD} for the shape at all scales",
    ),
    "IMD": Use(
        "shape at all scales is meant, of different inputs or numbers of rows",
        "rows are paired: pairs say more than shape",
        "{RTD} or {MutualKNN} for paired rows",
    ),
    "RTD": Use(
        "rows are paired and what is connected, or encircled, in one and not in the "
        "other is the question",
        "rows are many (it goes by subsets), or a value between 0 and 1 is wanted",
        "{RTDLite} for clusters of many rows, {CKA} for a bounded number",
    ),
    "RTDLite": Use(
        "clusters that one side has and the other lacks are meant, and rows are many",
        "loops matter",
        "{RTD}",
    ),
    # ----- statistics
    "Concentricity": Use(
        "you ask whether one model's rows are a narrower cone than the other's",
        "rows are to be compared one by one: two unlike models may have one value",
        "{Uniformity} for the spread of pairs, {CKA} for rows",
    ),
    "IntrinsicDimension": Use(
        "the number of directions in use is the question, not which ones",
        "dimensions are above ten or so with few rows: estimates fall behind",
        "{CKA} or {MeanSquaredCCA} for which directions",
    ),
    "Magnitude": Use(
        "the mean activation is the question, or a control that knows the scale only",
        "rows are centred, or their arrangement matters",
        "{Concentricity} without scale",
    ),
    "NeighborGraphModularity": Use(
        "how far the classes are separated is to be followed over layers",
        "there are no labels, or the question is whether the same rows are near",
        "{MutualKNN} for neighbours of rows, {Tolerance} for cosines within classes",
    ),
    "NeuronGraphModularity": Use(
        "you ask whether units of one network fall into modules more than another's",
        "units are to be matched",
        "{CorrelationMatch} for counterparts",
    ),
    "Tolerance": Use(
        "you ask how near rows of one class are, on the same rows of both models",
        "data sets with other shares of classes are compared: these decide the value",
        "{NeighborGraphModularity}, or {Uniformity} without labels",
    ),
    "Uniformity": Use(
        "contrastive embeddings are judged by how evenly they fill the sphere",
        "rows are to be compared one by one",
        "{Tolerance} for classes, {CKA} for rows",
    ),
    # ----- labels of two models
    "CohenKappa": Use(
        "two raters, or models, label rows and the agreement should be above chance; "
        "with ``weights`` for ordered grades",
        "classes are very uneven, which lowers kappa whatever the agreement",
        "{Disagreement} for the plain share, {KrippendorffAlpha} for missing ratings",
    ),
    "Disagreement": Use(
        "you ask how many answers change: the first number for any replacement, with "
        "an exact interval",
        "it should be set against the error rates, or how sure answers are matters",
        "{ErrorConsistency} beyond accuracy, {JensenShannonDivergence} for confidence",
    ),
    "DoubleFault": Use(
        "an ensemble or a fall-back is planned: how often do both fail?",
        "accuracies differ between pairs and are not to count",
        "{ErrorConsistency}",
    ),
    "ErrorConsistency": Use(
        "you ask whether two models, or a model and people, fail on the same inputs "
        "beyond what accuracy implies",
        "one of them hardly errs: kappa of few errors is noise, and undefined of none",
        "{Disagreement} for few errors, {SameErrorRate} for which wrong answer",
    ),
    "ErrorCorrectedDisagreement": Use(
        "churn is to be read per error of the model in use",
        "that model is perfect, or the second one's errors matter",
        "{MinMaxNormalizedDisagreement} or {ErrorConsistency}",
    ),
    "ErrorCorrelation": Use(
        "you want phi of right and wrong, as in studies of ensembles",
        "accuracies differ: it can't reach 1 then",
        "{ErrorConsistency}, or {QStatistic}, which reaches 1",
    ),
    "MinMaxNormalizedDisagreement": Use(
        "you ask where, between the least and the most that the error rates allow, two "
        "models' disagreement lies",
        "either is perfect, where it is undefined",
        "{ErrorConsistency}",
    ),
    "OracleDisagreement": Use(
        "you ask how much an oracle that picks the right one of two could gain",
        "failures of both matter",
        "{DoubleFault}",
    ),
    "QStatistic": Use(
        "you compare with the literature on ensembles, which reports Q",
        "one model's errors may contain the other's: it is 1 then, however many there "
        "are",
        "{ErrorConsistency}",
    ),
    "SameErrorRate": Use(
        "you ask whether two models, such as language models, give the same wrong "
        "answers: a sign of common origin",
        "there are two classes, where joint errors are always the same",
        "{ErrorConsistency} for two classes, {ProbabilisticErrorConsistency} with "
        "probabilities",
    ),
    # ----- outputs of two models
    "PerformanceDifference": Use(
        "you ask which is better, by any score: the control beside every similarity",
        "you ask whether models are alike: unlike models may be equally good",
        "{Disagreement} and {ErrorConsistency}",
    ),
    "MultilabelAgreement": Use(
        "rows have any number of labels",
        "each row has one label, or confidence matters",
        "{Disagreement} for one label, {RankCorrelation} for scores",
    ),
    "RankBiasedOverlap": Use(
        "rankings are read from the top: retrieval, recommendations, next tokens",
        "how far apart scores are matters",
        "{TopKOverlap} for the first k without order, {RankCorrelation} for all ranks",
    ),
    "RankCorrelation": Use(
        "scores are on unlike scales, or uncalibrated, and only their order is meant",
        "thresholds are applied to the scores themselves",
        "{JensenShannonDivergence} or {TotalVariation} for calibrated probabilities",
    ),
    "RegressionDifference": Use(
        "models predict numbers: how far apart are their predictions on most rows?",
        "the few worst rows decide, or outputs are classes",
        "{SoftPredictionDifference} for the mean, {Disagreement} for classes",
    ),
    "SoftPredictionDifference": Use(
        "you want the papers' mean norm of the difference of two models' outputs",
        "the norm is not given by a paper",
        "{TotalVariation} for probabilities, {RegressionDifference} for numbers",
    ),
    "TopKOverlap": Use(
        "the first k candidates are shown or searched, in whatever order",
        "the order of the candidates matters",
        "{RankBiasedOverlap}",
    ),
    # ----- probabilities of two models
    "Hellinger": Use(
        "small probabilities matter and a bounded metric is wanted",
        "calibration should not count",
        "{JensenShannonDivergence} in nats, {RankCorrelation} without calibration",
    ),
    "JensenShannonDivergence": Use(
        "you ask how far probabilities moved: bounded, symmetric, finite with zeros",
        "calibration should not count: a sharper twin is far with every label equal",
        "{Disagreement} for labels, {RankCorrelation} for order, {KullbackLeibler} "
        "with a reference",
    ),
    "KullbackLeibler": Use(
        "one model is the reference, as in distillation or quantisation",
        "probabilities may be exactly 0, as of forests: it is infinite then",
        "{JensenShannonDivergence}",
    ),
    "ProbabilisticErrorConsistency": Use(
        "language models answer questions with options: are their wrong answers alike "
        "beyond accuracy? (CAPA)",
        "there are no probabilities of options",
        "{ErrorConsistency} or {SameErrorRate} for labels",
    ),
    "SurrogateChurn": Use(
        "churn is to be a smooth number, as in a loss",
        "you only report it: churn itself is easier to read",
        "{Disagreement}",
    ),
    "TotalVariation": Use(
        "you want the share of probability that moved, in plain words",
        "from where to where it moved matters",
        "{JensenShannonDivergence}, or {Hellinger} for small probabilities",
    ),
    # ----- groups of models
    "Ambiguity": Use(
        "you ask for how many inputs the choice among good models decides the answer",
        "groups of different sizes are compared: it grows with the group",
        "{LabelEntropy} or {FleissKappa}",
    ),
    "CochranQ": Use(
        "you test whether several models are equally accurate on the same rows",
        "you want a size: it grows with the number of rows",
        "{PerformanceDifference} for pairs, {Difficulty} for rows",
    ),
    "CoincidentFailureDiversity": Use(
        "a vote is planned: how few models fail together where any does?",
        "agreement is to be corrected for chance",
        "{InterraterAgreement}",
    ),
    "Difficulty": Use(
        "you ask whether some inputs are hard for all models",
        "accuracies of the groups differ much: it moves with them",
        "{InterraterAgreement}",
    ),
    "Discrepancy": Use(
        "the worst case counts: how far apart may two equally good models be?",
        "most of the group is meant, not its extremes",
        "{Ambiguity} for rows, {FleissKappa} for the whole group",
    ),
    "EntropyDiversity": Use(
        "you compare with the literature on ensembles, which reports E",
        "groups of other accuracy are compared",
        "{InterraterAgreement}, which allows for accuracy",
    ),
    "FleissKappa": Use(
        "many models or raters label all rows: agreement above chance in one number",
        "ratings are missing or ordered",
        "{KrippendorffAlpha}",
    ),
    "GeneralizedDiversity": Use(
        "you ask how likely a second model is to save a row that the first fails on",
        "all models are nearly perfect: few rows decide",
        "{CoincidentFailureDiversity}, or {InterraterAgreement} above chance",
    ),
    "GroupSameErrorRate": Use(
        "you ask whether a whole group of models shares its wrong answers",
        "single pairs matter, or there are two classes",
        "{SameErrorRate} for pairs",
    ),
    "InterraterAgreement": Use(
        "you ask whether models of a group are right on the same rows, above chance",
        "which wrong answers are given matters",
        "{GroupSameErrorRate}, or {FleissKappa} for the labels themselves",
    ),
    "KohaviWolpertVariance": Use(
        "the variance of a random member's being right is meant, as in decompositions "
        "of an ensemble's error",
        "groups of other accuracy are compared",
        "{InterraterAgreement}",
    ),
    "KrippendorffAlpha": Use(
        "ratings are missing, or ordered, or numbers",
        "all raters label all rows with unordered classes, and Fleiss is expected",
        "{FleissKappa} or, of two raters, {CohenKappa}",
    ),
    "LabelEntropy": Use(
        "the spread of the votes on each row counts: one deviating model or an even "
        "split",
        "who deviates matters",
        "{Ambiguity} for any deviation, a matrix of {Disagreement} for who",
    ),
    "GroupProbabilisticErrorConsistency": Use(
        "CAPA is wanted for more than two models with probabilities of options",
        "single pairs matter",
        "{ProbabilisticErrorConsistency}",
    ),
    "PredictionDifference": Use(
        "seeds of one model are judged by how far single fits stray from their mean",
        "it matters whether two stray together",
        "{RashomonCapacity}, or pairs by {TotalVariation}",
    ),
    "RashomonCapacity": Use(
        "you ask how many effectively different predictions a set of good models gives "
        "one input",
        "it matters how many models lie between the extremes",
        "{PredictionDifference}",
    ),
    # ----- attributions
    "ExplanationAgreement": Use(
        "two models, or two methods, explain the same rows: do they name the same "
        "features?",
        "explanations name the same features for every row: test row by row then, with "
        '``null="rows"``',
        "{SaliencySimilarity} for gradients of models at hand",
    ),
    "GroupExplanationAgreement": Use(
        "you ask how stable explanations are over seeds: the ceiling for two models",
        "there are two models",
        "{ExplanationAgreement}",
    ),
    # ----- models
    "AdversarialTransferability": Use(
        "you ask whether two models break on the same changed inputs",
        "the attack is so strong that all examples transfer, or so weak that none does",
        "{SaliencySimilarity}, which needs no attack",
    ),
    "DecisionDistance": Use(
        "you suspect that one model was made from another, and can query both",
        "decisions hardly move under the perturbations",
        "{SameErrorRate} on rows as they are, {WeightMatching} where weights are known",
    ),
    "ModelStitching": Use(
        "you ask whether one network's later layers can work with the other's earlier "
        "ones",
        "a stitch that can learn the task itself would pass: use a plain affine one",
        "{LinearRegressionSimilarity} or {CKA} without training",
    ),
    "SaliencySimilarity": Use(
        "you ask whether answers depend on the same features, and gradients exist",
        "models have no gradients, as trees, or these are noisy",
        "{ExplanationAgreement} with attributions of any kind",
    ),
    # ----- weights
    "LossBarrier": Use(
        "networks are to be merged or averaged: does the loss rise on the way?",
        "architectures differ",
        "{CKA} of the layers",
    ),
    "NetworkPersistence": Use(
        "weights are all there is, and architectures may differ",
        "signs or scale of the weights matter: it sees neither",
        "{WeightMatching} for one architecture, {CKA} where there are data",
    ),
    "WeightDelta": Use(
        "one network was made from the other, by tuning, merging or pruning: where did "
        "the weights move?",
        "units may be in another order, or you ask what it did to the answers",
        "{WeightMatching} for units in any order, {Disagreement} for answers",
    ),
    "WeightMatching": Use(
        "networks of one architecture are compared by weights, with units in any order",
        "architectures differ, or rescaled units should be the same",
        "{NetworkPersistence}, or {CKA} of the layers",
    ),
}


def named_in(text):
    """Names of the measures that a text names in braces.

    >>> named_in("{CKA} with a kernel, or {RSA}")
    ['CKA', 'RSA']
    """
    return re.findall(r"\{(\w+)\}", text)


def plain(text):
    """A text without the braces around names.

    >>> plain("{CKA} with a kernel")
    'CKA with a kernel'
    """
    return re.sub(r"\{(\w+)\}", r"\1", text)
