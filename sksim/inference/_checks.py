"""What inference over rows asks of a measure."""

from sksim.base._tags import tags_of


def refuse_unpaired(measure, purpose="a permutation test"):
    """Raise unless permuting rows means something to the measure."""
    tags = tags_of(measure)
    name = type(measure).__name__
    if tags.inputs == "models":
        raise ValueError(
            f"{name} compares models, not rows of two representations, so that "
            f"{purpose} over rows does not apply."
        )
    if not tags.paired:
        raise ValueError(
            f"{name} compares the representations as wholes (paired=False): the order "
            f"of rows does not change it, so that {purpose} would always return p = 1. "
            "Use a measure with paired=True."
        )
