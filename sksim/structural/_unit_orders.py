"""Orders of one network's units in which its weights are nearest another's."""

import itertools

import numpy as np

from sksim.arrays._matching import best_assignment

# A gain below this share of the two networks' norms is rounding: it is four orders
# above that of sums of 10^7 products, and no network was seen to gain less in earnest.
_ROUNDING = 1e-12


class UnitOrders:
    """Search for the order of the second network's units, space by space.

    Parameters
    ----------
    first, second : Network
        Of one architecture.
    """

    def __init__(self, first, second):
        self.first, self.second = first, second
        pairs = zip(first.tensors, second.tensors, strict=True)
        self.pairs = [(a, b) for a, b in pairs if a.counts]
        norms = [_squares(network) for network in (first, second)]
        self.squares = sum(norms)
        self.smallest_gain = _ROUNDING * float(np.sqrt(np.prod(norms)))
        self.neighbors = [set() for _ in first.units]
        for a, _ in self.pairs:
            spaces = [space for space in a.axes if space is not None]
            for one, other in itertools.permutations(spaces, 2):
                self.neighbors[one].add(other)

    def objective(self, assignments):
        """Sum of products of all weights."""
        return sum(self._product(pair, assignments) for pair in self.pairs)

    def _product(self, pair, assignments):
        a, b = pair
        return float(np.vdot(a.values, b.moved(assignments)))

    def gains(self, space, assignments, placed=None):
        """What each pair of units adds to the objective, with all others as they are.

        Parameters
        ----------
        space : int
        assignments : list of int arrays
        placed : set of int, default=None
            Spaces whose order counts: weights to other units are left out. None for
            all.

        Returns
        -------
        gains : array of shape (n_units, n_units)
        """
        n_units = self.first.units[space].size
        total = np.zeros((n_units, n_units))
        for a, b in self.pairs:
            for axis, own in enumerate(a.axes):
                others = {s for i, s in enumerate(a.axes) if i != axis} - {None}
                if own != space or (placed is not None and not others <= placed):
                    continue
                total += (
                    _rows(a.values, axis) @ _rows(b.moved(assignments, axis), axis).T
                )
        return total

    def along(self, spaces):
        """Orders found in one pass, each space by the weights to those before it."""
        assignments, placed = self.second.unmoved(), set()
        for space in spaces:
            gains = self.gains(space, assignments, placed)
            _, assignments[space] = best_assignment(gains, xp=np)
            placed.add(space)
        return assignments

    def descend(self, assignments, sweeps):
        """Orders that no space can change by itself for the better.

        Parameters
        ----------
        assignments : list of int arrays
            Where to start.
        sweeps : iterable of sequences of int
            Order of the spaces in each sweep, until nothing can be gained any more.

        Returns
        -------
        assignments : list of int arrays
        """
        assignments = list(assignments)
        # spaces beside which something has changed since they were solved
        stale = set(range(len(assignments)))
        for sweep in sweeps:
            for space in sweep:
                if space in stale:
                    stale.discard(space)
                    if self._improve(space, assignments):
                        stale |= self.neighbors[space]
            if not stale:
                break
        return assignments

    def _improve(self, space, assignments):
        """Solve one space's assignment; whether it has gained."""
        gains = self.gains(space, assignments)
        _, new = best_assignment(gains, xp=np)
        old, places = assignments[space], np.arange(len(new))
        changed = [*assignments]
        changed[space] = new
        gain = gains[places, new].sum() - gains[places, old].sum()
        twice = [p for p in self.pairs if p[0].axes.count(space) > 1]
        if twice:  # products of the order with itself, of which gains are a slope only
            gain = self.objective(changed) - self.objective(assignments)
        if gain <= self.smallest_gain:
            return False
        assignments[space] = new
        return True

    def best(self, n_init, rng):
        """The best of several starts.

        One start is the units as they are, with sweeps through the layers in their
        order. A second and a third first match all layers from the input on, and from
        the output back; in others sweeps go in random order. From the input on comes
        first, since it finds the order of a permuted copy at once.

        Parameters
        ----------
        n_init : int
        rng : numpy Generator

        Returns
        -------
        assignments : list of int arrays
        """
        spaces = range(len(self.first.units))
        unmoved = self.second.unmoved()
        found, best = None, -np.inf
        n_starts = n_init if any(self.neighbors) else 1
        passes = [spaces, None, spaces[::-1]][:n_starts] if n_starts > 1 else [None]
        for start in range(n_starts):
            along = passes[start] if start < len(passes) else None
            begin = unmoved if along is None else self.along(along)
            sweeps = itertools.repeat(spaces)
            if start >= len(passes):
                sweeps = (rng.permutation(len(spaces)) for _ in itertools.count())
            assignments = self.descend(begin, sweeps)
            objective = self.objective(assignments)
            if objective > best + self.smallest_gain:
                found, best = assignments, objective
            if self.squares - 2 * best <= 2 * self.smallest_gain:  # nothing is left
                break
        return found


def _squares(network):
    """Sum of the squares of all weights."""
    return sum(float(np.sum(t.values**2)) for t in network.tensors if t.counts)


def _rows(values, axis):
    """Values as a matrix with a row for each unit of an axis."""
    values = np.moveaxis(values, axis, 0)
    return values.reshape(len(values), -1)
