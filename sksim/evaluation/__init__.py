"""Measuring the measures, by what they should find."""

from sksim.evaluation._layers import LayerIdentification, layer_identification

__all__ = ["LayerIdentification", "layer_identification"]
