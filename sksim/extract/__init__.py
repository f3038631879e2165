"""What fitted models compute on the way to their answers, and the answers."""

from sksim.extract._extract import extract_outputs, extract_representations
from sksim.extract._torch import TorchExtractor

__all__ = ["TorchExtractor", "extract_outputs", "extract_representations"]
