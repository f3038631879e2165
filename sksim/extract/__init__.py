"""What fitted models compute on the way to their answers, and the answers."""

from sksim.extract._extract import extract_outputs, extract_representations

__all__ = ["extract_outputs", "extract_representations"]
