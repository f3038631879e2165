"""What a measure can't see, in words: its tags as sentences."""

# The widest classes of maps first.
_WORDS = {
    "AT": "any invertible affine map of the columns",
    "ILT": "any invertible linear map of the columns",
    "OT": "rotations and reflections",
    "PT": "the order of the columns",
    "IS": "the overall scale",
    "TR": "a shift of all rows",
}
# A map of the first kind can be any of the others.
_IMPLIED = {
    "OT": {"PT"},
    "ILT": {"PT", "OT", "IS"},
    "AT": {"PT", "OT", "IS", "ILT", "TR"},
}
_OF_INPUTS = {
    "labels": "how sure each model is, and how it comes to its answers",
    "probabilities": "how each model comes to its answers",
    "outputs": "how each model comes to its outputs",
    "gradients": "the answers themselves",
}

_SEEN = {
    "labels": "the answers",
    "probabilities": "the answers, and how sure each model is",
    "outputs": "the outputs",
    "models": "the weights, or what depends on them",
}
# To a measure that is blind to some of a class.
_SEEN_MAPS = {
    "AT": "other affine maps of the columns",
    "ILT": "other linear maps of the columns",
}
_WITHOUT_ROWS = {"models": "what the models answer"}
_NOTHING = {"representation": "no map of the columns, not even another order"}


def blind_to(tags):
    """What may differ while a measure says that two models are the same.

    Parameters
    ----------
    tags : SimilarityTags

    Returns
    -------
    words : str
        Such as "rotations and reflections, the overall scale".
    """
    parts = [_OF_INPUTS[tags.inputs]] if tags.inputs in _OF_INPUTS else []
    if not tags.paired:
        parts.append(_WITHOUT_ROWS.get(tags.inputs, "which row is which"))
    if tags.invariances == tags.invariances_y:
        parts += _maps(tags.invariances)
    else:
        for side, codes in (("a", tags.invariances), ("b", tags.invariances_y)):
            parts += [f"{words} (in {side})" for words in _maps(codes)]
    return ", ".join(parts) or _NOTHING.get(tags.inputs, "nothing that its tags name")


def sees_beyond(tags, others):
    """What a measure sees and another one does not.

    Parameters
    ----------
    tags, others : SimilarityTags

    Returns
    -------
    words : str
        Empty if there is nothing.
    """
    if tags.inputs != others.inputs:
        return _SEEN.get(tags.inputs, "what the models make of rows before they answer")
    parts = [] if others.paired or not tags.paired else ["which row is which"]
    # on either side, so that it is true whichever of the two is mapped
    missed = _with_implied(others.invariances) & _with_implied(others.invariances_y)
    own = _with_implied(tags.invariances | tags.invariances_y)
    return ", ".join(
        [*parts, *_maps(missed - own, _WORDS | _SEEN_MAPS if own else _WORDS)]
    )


def _maps(codes, words=_WORDS):
    """Words for the widest classes of maps, widest first."""
    known = set().union(*(_IMPLIED.get(code, ()) for code in codes))
    return [words[code] for code in words if code in set(codes) - known]


def _with_implied(codes):
    return set(codes).union(*(_IMPLIED.get(code, ()) for code in codes))
