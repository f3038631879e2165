"""Units of information."""

import math


def log_unit(base):
    """Length of one unit of a logarithm of that base, in nats; None for one nat."""
    return 1.0 if base is None else math.log(base)
