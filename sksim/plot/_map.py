"""Many models in one picture, near each other where they are alike."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.manifold import ClassicalMDS

from sksim._typing import ArrayLike, Axes, Layers, Measure, Model
from sksim.models._last_layers import last_layers
from sksim.pairwise import similarity_matrix
from sksim.pairwise._inputs import refuse_order_of_its_own
from sksim.plot._axes import axes_or_new


class ModelMapDisplay:
    """Map of many models: distances between points stand for distances of models.

    Coordinates come from classical scaling, which needs no seed: the plane keeps as
    much of the squared distances as a plane can.

    Parameters
    ----------
    coordinates : ndarray of shape (n_models, 2)
        Places on the map.
    names : list of str
        Names of the models.
    share : float
        Share of the squared distances that the plane keeps; below about .5 the map
        tells little.
    clusters : ndarray of shape (n_models,), default=None
        Number of each model's cluster.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    text_ : list of matplotlib Text
        The names.

    See Also
    --------
    sksim.pairwise.similarity_matrix : Makes the matrix.

    References
    ----------
    W. Torgerson. Multidimensional scaling: I. Theory and method. Psychometrika, 1952.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksim.plot import ModelMapDisplay
    >>> names = ["a", "b", "c"]
    >>> distances = pd.DataFrame([[0, 3, 4], [3, 0, 5], [4, 5, 0]], names, names)
    >>> distances.attrs["orientation"] = "distance"
    >>> display = ModelMapDisplay.from_matrix(distances)
    >>> round(display.share, 6)
    1.0
    """

    def __init__(self, *, coordinates, names, share, clusters=None):
        self.coordinates = coordinates
        self.names = names
        self.share = share
        self.clusters = clusters

    @classmethod
    def from_matrix(
        cls,
        matrix: pd.DataFrame | ArrayLike,
        *,
        orientation: str | None = None,
        n_clusters: int | None = None,
    ) -> Self:
        """Display of a symmetric matrix of similarities or distances.

        Parameters
        ----------
        matrix : DataFrame or array-like of shape (n_models, n_models)
            Similarities s are turned into the distances
            sqrt(s_ii + s_jj - 2 s_ij), which is what they are for kernels such as CKA.
        orientation : {"similarity", "distance"}, default=None
            What a large entry means; None takes it from ``matrix.attrs``.
        n_clusters : int, default=None
            Number of clusters (average linkage) that colours show; None for none.

        Returns
        -------
        display : ModelMapDisplay
            Not drawn yet: call ``plot``.
        """
        if not isinstance(matrix, pd.DataFrame):
            matrix = pd.DataFrame(np.asarray(matrix, dtype=float))
        distances = _distances(matrix, orientation)
        coordinates, share = _classical_scaling(distances)
        clusters = None
        if n_clusters is not None:
            if not 1 <= n_clusters <= len(distances):
                raise ValueError(
                    f"n_clusters must be from 1 to the number of models, "
                    f"{len(distances)}, got {n_clusters}."
                )
            tree = linkage(squareform(distances, checks=False), method="average")
            clusters = fcluster(tree, n_clusters, criterion="maxclust")
        names = [str(name) for name in matrix.index]
        return cls(coordinates=coordinates, names=names, share=share, clusters=clusters)

    @classmethod
    def from_representations(
        cls,
        measure: Measure,
        Xs: Layers,
        *,
        y_true: ArrayLike | None = None,
        n_clusters: int | None = None,
        n_jobs: int | None = None,
    ) -> Self:
        """Display of representations, compared by a symmetric measure.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        Xs : dict of str to array, or list of arrays
            One representation for each model.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.
        n_clusters : int, default=None
            Number of clusters that colours show.
        n_jobs : int, default=None
            Number of parallel jobs.

        Returns
        -------
        display : ModelMapDisplay
            Not drawn yet: call ``plot``.
        """
        matrix = similarity_matrix(
            measure, Xs, y_true=y_true, output="statistic", n_jobs=n_jobs
        )
        return cls.from_matrix(matrix, n_clusters=n_clusters)

    @classmethod
    def from_estimators(
        cls,
        measure: Measure,
        models: Mapping[str, Model],
        data: ArrayLike,
        *,
        layer: str | None = None,
        y_true: ArrayLike | None = None,
        n_clusters: int | None = None,
    ) -> Self:
        """Display of fitted models, compared by one layer of each.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        models : dict of str to fitted model
            The models.
        data : array-like of shape (n_samples, n_features), or loader
            Rows that all models are applied to. Networks see each batch together.
        layer : str, default=None
            Name of the layer; None for the last before the models' answers.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.
        n_clusters : int, default=None
            Number of clusters that colours show.

        Returns
        -------
        display : ModelMapDisplay
            Not drawn yet: call ``plot``.
        """
        refuse_order_of_its_own(data, y_true=y_true)
        found = last_layers(models.values(), data, [layer] * len(models))
        layers = {name: view for name, (_, view) in zip(models, found, strict=True)}
        return cls.from_representations(
            measure, layers, y_true=y_true, n_clusters=n_clusters
        )

    def plot(
        self, ax: Axes | None = None, *, size: float = 48, title: str | None = None
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        size : float, default=48
            Size of the markers.
        title : str, default=None
            Title of the picture.

        Returns
        -------
        display : ModelMapDisplay
            This display, with its attributes.
        """
        ax = axes_or_new(ax, self)
        clusters = np.zeros(len(self.names), int)
        if self.clusters is not None:
            clusters = self.clusters - 1
        colors = [f"C{number % 10}" for number in clusters]
        ax.scatter(*self.coordinates.T, c=colors, s=size, linewidths=0)
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.25)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_xlabel(f"{self.share:.0%} of squared distances", fontsize="small")
        if title is not None:
            ax.set_title(title)
        self.ax_, self.figure_ = ax, ax.figure
        self.text_ = _add_names(ax, self.coordinates, self.names)
        return self


def _distances(matrix, orientation):
    """Distances, from whatever the matrix holds."""
    values = matrix.to_numpy(dtype=float)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(
            f"A map needs all models against all models, a square matrix; got "
            f"{values.shape}."
        )
    if len(values) < 3:
        raise ValueError(f"A map needs 3 models or more, got {len(values)}.")
    if not np.all(np.isfinite(values)):
        raise ValueError("The matrix has missing or infinite entries.")
    scale = np.max(np.abs(values))
    if not np.allclose(values, values.T, rtol=0, atol=1e-6 * scale):
        raise ValueError(
            "The matrix is not symmetric: the measure depends on which model comes "
            "first. Pass (matrix + matrix.T) / 2 if its mean is what you want."
        )
    values = (values + values.T) / 2
    if matrix.attrs.get("is_negated_distance"):
        values, orientation = -values, "distance"
    orientation = orientation or matrix.attrs.get("orientation")
    if orientation not in ("similarity", "distance"):
        raise ValueError(
            "orientation must say whether large entries mean similar: pass "
            f"'similarity' or 'distance', got {orientation!r}."
        )
    if orientation == "similarity":
        own = np.diag(values)
        squares = own[:, None] + own[None, :] - 2 * values
        if np.min(squares) < -1e-6 * scale:
            raise ValueError(
                "Some models are more similar to another than to themselves, so that "
                "the similarities can't be turned into distances. Choose a distance."
            )
        values = np.sqrt(np.maximum(squares, 0))
    if np.min(values) < 0:
        raise ValueError("The matrix has negative distances.")
    values = values.copy()
    np.fill_diagonal(values, 0)
    return values


def _classical_scaling(distances):
    """Coordinates in the plane, and the share of the squared distances in it."""
    scaling = ClassicalMDS(n_components=len(distances), metric="precomputed")
    # an axis of a negative eigenvalue, by rounding or in no Euclidean space, is nan
    with np.errstate(invalid="ignore"):
        coordinates = np.nan_to_num(scaling.fit_transform(distances)[:, :2])
    eigenvalues = scaling.eigenvalues_
    total = np.sum(np.abs(eigenvalues))
    share = float(np.sum(np.maximum(eigenvalues[:2], 0)) / total) if total > 0 else 1.0
    return coordinates, share


# Where a name may stand: offset in points and alignment.
_PLACES = (
    (7, 0, "left", "center"),
    (-7, 0, "right", "center"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (6, 6, "left", "bottom"),
    (6, -6, "left", "top"),
    (-6, 6, "right", "bottom"),
    (-6, -6, "right", "top"),
)


def _add_names(ax, points, names):
    """Names beside their points; where exactly is settled when they are drawn."""
    from sksim.plot._when_drawn import JustBefore

    texts = [
        ax.annotate(name, point, (7, 0), textcoords="offset points", fontsize="small")
        for name, point in zip(names, points, strict=True)
    ]
    for text in texts:
        text.set_in_layout(False)
    ax.add_artist(
        JustBefore(lambda renderer: _place_names(ax, points, texts, renderer))
    )
    return texts


def _place_names(ax, points, texts, renderer):
    """Each name where it hides the least and is least cut off."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in ax.transData.transform(points)]
    inside = ax.get_window_extent(renderer)
    for text in texts:
        best = None
        for place in _PLACES:
            _move(text, place)
            box = text.get_window_extent(renderer).extents
            hidden = sum(_overlap(box, other) for other in taken)
            outside = max(0.0, inside.x0 - box[0]) + max(0.0, box[2] - inside.x1)
            outside += max(0.0, inside.y0 - box[1]) + max(0.0, box[3] - inside.y1)
            cost = hidden + 20 * outside
            if best is None or cost < best[0] - 1e-9:
                best = cost, place, box
        _move(text, best[1])
        taken.append(tuple(best[2]))


def _move(text, place):
    dx, dy, ha, va = place
    text.set_position((dx, dy))
    text.set_ha(ha)
    text.set_va(va)


def _overlap(a, b):
    """Area that two boxes have in common."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)
