"""Similarity in the training of networks by PyTorch."""

import lazy_loader

# PyTorch is imported with the first name that is asked for
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"_similarity_loss": ["SimilarityLoss"]}
)
