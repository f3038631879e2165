"""How sure means over subjects and stimuli are, of which one or both are a sample."""

from dataclasses import dataclass

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread, shared_by_jobs
from sksim.inference._resampling import checked, make_plan, replicates


@dataclass(frozen=True)
class Errors:
    """Standard errors of means over subjects, and their degrees of freedom.

    Attributes
    ----------
    standard_errors : array of shape (n_contrasts,)
    degrees : int
    """

    standard_errors: np.ndarray
    degrees: int


def errors_of_subjects(values):
    """Of other subjects, by the spread of these.

    Parameters
    ----------
    values : array of shape (n_subjects, n_contrasts)
    """
    n_subjects = len(values)
    return Errors(values.std(axis=0, ddof=1) / n_subjects**0.5, n_subjects - 1)


@dataclass(frozen=True)
class Resampled:
    """Scores of parts of the stimuli.

    Attributes
    ----------
    values : array of shape (n_replicates, n_models, n_subjects)
        Replicates that are undefined are left out, but for the jackknife, where they
        are nan.
    plan : Plan
    """

    values: np.ndarray
    plan: object

    def errors_of_stimuli(self, contrasts):
        """Of other stimuli, with these subjects.

        Parameters
        ----------
        contrasts : array of shape (n_contrasts, n_models)
        """
        means = self.values.mean(axis=2) @ contrasts.T
        variances = np.zeros(len(contrasts))
        for units in self.plan.members:
            some = means[units]
            some = some[np.isfinite(some).all(axis=1)]
            n = len(units)
            variances += (n - 1) * some.var(axis=0) if len(some) else 0.0
        return Errors(np.sqrt(variances), self.plan.degrees)

    def errors_of_both(self, contrasts, values):
        r"""Of other subjects and other stimuli.

        With the variances s of subjects, c of stimuli and i of both together, the mean
        of R subjects and n stimuli has the variance s/R + c/n + i/(Rn). Subjects alone
        show s/R + i/(Rn), and so do stimuli alone c/n + i/(Rn), but where both are
        resampled the last part counts three times (Owen 2007). So it is

        .. math:: \sigma^2 = 2 (\sigma_s^2 + \sigma_c^2) - \sigma_{sc}^2

        of the three bootstraps (Schütt et al. 2023), here without the noise of drawing
        subjects: what all draws of R of R subjects would give, a mean over subjects has
        in closed form. Each part is put to n - 1 where the bootstrap divides by n.

        Parameters
        ----------
        contrasts : array of shape (n_contrasts, n_models)
        values : array of shape (n_subjects, n_contrasts)
            Of all stimuli.
        """
        n_subjects = len(values)
        n_units, degrees = self.plan.n_units, self.plan.degrees
        drawn = np.einsum("bmr,km->bkr", self.values, contrasts)
        of_subjects = values.var(axis=0, ddof=1) / n_subjects
        of_stimuli = drawn.mean(axis=2).var(axis=0) * n_units / degrees
        wider = drawn.var(axis=2, ddof=1).mean(axis=0) / n_subjects - of_subjects
        of_both = np.clip(
            wider * n_units / degrees, 0, np.minimum(of_subjects, of_stimuli)
        )
        variances = of_subjects + of_stimuli - of_both
        return Errors(np.sqrt(variances), min(n_subjects - 1, degrees))


def without_stimuli(samples, grid, *, shape, **jobs):
    """Scores without each stimulus, or group of stimuli.

    Parameters
    ----------
    samples : list of Sample
        Of each model with each subject, or of one pair where the grid gives all pairs
        of rows that count, or do not count.
    grid : Grid
    shape : tuple of int
        (n_models, n_subjects).
    **jobs : int
        ``n_jobs``, ``verbose``.
    """
    plan = make_plan("jackknife", samples[0].strata, None, 0)
    if len(samples) == 1 and shape != (1, 1):
        values = _weighted(samples[0], grid, plan, plan.n_units, **jobs)
        values = checked(values, samples, plan)
    else:
        values = replicates(samples, plan, None, batch_size=8, **jobs)
    return Resampled(values.reshape(-1, *shape), plan)


def drawn_stimuli(sample, grid, *, shape, n_resamples, random_state, **jobs):
    """Scores of stimuli drawn with replacement, without pairs of copies.

    Parameters
    ----------
    sample : Sample
        Of one model with one subject.
    grid : Grid
    shape : tuple of int
        (n_models, n_subjects).
    n_resamples : int
    random_state : RandomState
    **jobs : int
        ``n_jobs``, ``verbose``.
    """
    plan = make_plan("masked_bootstrap", sample.strata, None, random_state)
    values = _weighted(sample, grid, plan, n_resamples, **jobs)
    values = checked(values, [sample], plan)
    values = values[np.isfinite(values).all(axis=1)]
    return Resampled(values.reshape(-1, *shape), plan)


def _weighted(sample, grid, plan, n_replicates, *, n_jobs, verbose):
    """Oriented scores of all pairs in each replicate, one after the other."""
    n_batches = min(n_replicates, 4 * effective_n_jobs(n_jobs))
    batches = np.array_split(np.arange(n_replicates), n_batches)
    jobs = (
        delayed(_batch)(grid, [sample.rows_of(plan.units(i)) for i in batch])
        for batch in batches
    )
    with shared_by_jobs(grid):
        values = np.concatenate(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))
    return grid.tags.orient(values.reshape(n_replicates, -1))


@on_one_blas_thread
def _batch(grid, draws):
    counts = (np.bincount(rows, minlength=grid.n_samples) for rows in draws)
    return np.stack([grid.weighted(grid.there(c.astype(float))) for c in counts])
