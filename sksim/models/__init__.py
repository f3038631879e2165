"""What fitted models can tell: their layers, their answers, and their gradients."""

from sksim.models._callable import CallableModel
from sksim.models._extract import extract_outputs, extract_representations
from sksim.models._gradients import input_gradients
from sksim.models._keras import KerasModel
from sksim.models._onnx import OnnxModel
from sksim.models._torch_extractor import TorchExtractor

__all__ = [
    "CallableModel",
    "KerasModel",
    "OnnxModel",
    "TorchExtractor",
    "extract_outputs",
    "extract_representations",
    "input_gradients",
]
