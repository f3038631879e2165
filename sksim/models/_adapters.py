"""Which models are given by functions of a batch: callables, ONNX, Keras."""

from sklearn.base import BaseEstimator

from sksim.models._callable import CallableModel
from sksim.models._keras import KerasModel, is_keras_model
from sksim.models._onnx import OnnxModel, is_onnx
from sksim.models._torch import is_torch_module

# what scikit-learn's models, or those with its API, have
_METHODS = ("fit", "predict", "transform")


def is_adaptable(model):
    """Whether a model is run by functions of a batch, or is such a function.

    Parameters
    ----------
    model : object
    """
    if isinstance(model, BaseEstimator):
        return False
    if is_known(model):
        return True
    if type(model).__name__ == "ExportedProgram":
        raise ValueError(
            "The model is an ExportedProgram, which can't be called: pass "
            "program.module()."
        )
    if is_torch_module(model) or any(hasattr(model, name) for name in _METHODS):
        return False
    return callable(model) and not isinstance(model, type)


def is_known(model):
    """Whether a model is a CallableModel, or one of Keras or in ONNX's format.

    Parameters
    ----------
    model : object
    """
    return isinstance(model, CallableModel) or is_keras_model(model) or is_onnx(model)


def adapted(model):
    """A model, or a function of a batch, as a CallableModel.

    Parameters
    ----------
    model : object
        Of which `is_adaptable` says that it is one.
    """
    if isinstance(model, CallableModel):
        return model
    if is_keras_model(model):
        return KerasModel(model)
    return OnnxModel(model) if is_onnx(model) else CallableModel(model)


def said(model, kind):
    """A model of whose answers it is said what they are, if it is adapted.

    Parameters
    ----------
    model : object
    kind : str or None
    """
    is_said = kind is not None and is_adaptable(model)
    return adapted(model)._saying(kind) if is_said else model
