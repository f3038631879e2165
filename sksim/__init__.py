"""Similarity of models: how alike are two models' representations and behaviour?"""

__version__ = "0.1.0.dev0"
