"""Tags that measures on outputs have in common."""

from sksim.base._tags import SimilarityTags

# Rows of outputs are independent draws, so that even the plain bootstrap is valid.
INTERVALS = ("jackknife", "subsample", "bootstrap")
# Shares of rows have intervals of their own.
INTERVALS_OF_SHARES = (*INTERVALS, "exact", "wilson")
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
            "inputs": "probabilities",
            "requires": ("probabilities",),
            "intervals": INTERVALS,
            "complexity": "n c",
            **own,
        }
    )
