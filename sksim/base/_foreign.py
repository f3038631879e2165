"""Arrays of other libraries that numpy can't read, and what makes them readable."""

from sksim.arrays._namespace import get_namespace_and_device, is_numpy


def refuse_foreign(array, name):
    """Raise on what numpy can't read as it is; the message says what makes it readable.

    Parameters
    ----------
    array : object
        An array of any library, or a list of them.
    name : str
        What the message calls it.
    """
    if isinstance(array, list | tuple):
        for i, item in enumerate(array):
            if hasattr(item, "dtype"):
                refuse_foreign(item, f"{name}[{i}]")
        return
    if type(array).__name__ == "AnnData" and hasattr(array, "obsm"):
        raise TypeError(
            f"{name} is an AnnData, which holds several matrices: pass one of "
            "them, such "
            f"as {name}.X, {name}.obsm[...] or {name}.layers[...]; to_df() keeps the "
            "names of its rows."
        )
    if hasattr(array, "detach") and hasattr(array, "requires_grad"):
        _refuse_tensor(array, name)
        return
    dtype = getattr(array, "dtype", None)
    if getattr(dtype, "kind", None) == "c":
        raise ValueError(
            f"{name} holds complex numbers (Complex data not supported): compare their "
            "absolute values, or real and imaginary parts side by side."
        )
    if getattr(dtype, "kind", None) == "V" and getattr(dtype, "names", None) is None:
        raise ValueError(
            f"{name} is of {dtype}, numbers that numpy doesn't know: convert them "
            f"by {name}.astype('float32')."
        )


def _refuse_tensor(tensor, name):
    """Raise on a tensor of PyTorch, unless numpy reads it or it is not asked to."""
    if not is_numpy(get_namespace_and_device(tensor)[0]):
        return
    kind = str(tensor.dtype).removeprefix("torch.")
    device = tensor.device.type
    steps = [
        (tensor.requires_grad, "requires gradients", ".detach()"),
        (device == "meta", "has no values (device meta)", ""),
        (device not in ("cpu", "meta"), f"is on the device {tensor.device}", ".cpu()"),
        (tensor.is_quantized, "is quantized", ".dequantize()"),
        (str(tensor.layout) != "torch.strided", "is sparse", ".to_dense()"),
        ("bfloat16" in kind or "float8" in kind, f"is of {kind}", ".float()"),
    ]
    found = [(what, way) for applies, what, way in steps if applies]
    if not found:
        return
    what = " and ".join(what for what, _ in found)
    if device == "meta":
        raise ValueError(f"{name} is a tensor that {what}: load the values first.")
    way = "".join(way for _, way in found)
    if way in (".detach()", ".float()", ".cpu()") and "float8" not in kind:
        way += ", or compute on tensors by sklearn.set_config(array_api_dispatch=True)"
    raise ValueError(
        f"{name} is a tensor that {what}, which numpy can't read: convert it by "
        f"{name}{way}."
    )
