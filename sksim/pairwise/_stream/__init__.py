"""Layers of two models compared in one pass over the data."""
