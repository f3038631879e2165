"""Tags that measures on outputs have in common."""

from sksim.base._tags import SimilarityTags

# Rows of outputs are independent draws, so that even the plain bootstrap is valid.
INTERVALS = ("jackknife", "subsample", "bootstrap")
# Where it is known what a row that was not seen may do.
INTERVALS_OF_KINDS = (*INTERVALS, "gaffke")
# Shares of rows have intervals of their own, and so have differences of two.
INTERVALS_OF_SHARES = (*INTERVALS_OF_KINDS, "exact", "wilson")
INTERVALS_OF_PAIRS = (*INTERVALS_OF_KINDS, "tango", "newcombe")
# What is exact for functions of sums over rows.
OF_ROW_SUMS = frozenset({"jackknife", "bootstrap"})


def label_tags(**own):
    """Tags of a measure on predicted labels."""
    return SimilarityTags(
        **{
            "family": "functional",
            "inputs": "labels",
            "requires": ("labels",),
            "intervals": INTERVALS,
            "streaming": True,
            "complexity": "n",
            **own,
        }
    )


def correctness_tags(**own):
    """Tags of a measure on predicted labels and the true ones."""
    return label_tags(
        **{"requires": ("labels", "y_true"), "view_keywords": ("y_true",), **own}
    )


def probability_tags(**own):
    """Tags of a measure on predicted probabilities."""
    return SimilarityTags(
        **{
            "family": "functional",
            "streaming": True,
            "inputs": "probabilities",
            "requires": ("probabilities",),
            "intervals": INTERVALS,
            "complexity": "n c",
            **own,
        }
    )
