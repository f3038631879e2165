"""What measures share that perturb rows by an attack."""

from numbers import Integral, Real

from sksim._sklearn_compat import Interval, StrOptions
from sksim.functional._applied_models import AppliedModelsSimilarity
from sksim.functional._attacks import GradientAttack, apply_attack


class AttackingSimilarity(AppliedModelsSimilarity):
    """Parameters and methods of measures that perturb rows by an attack."""

    _parameter_constraints: dict = {
        "attack": [StrOptions({"fgsm", "pgd"}), callable],
        "eps": [Interval(Real, 0, None, closed="neither")],
        "norm": [StrOptions({"inf", "l2"})],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "data_range": [StrOptions({"data"}), tuple, list, None],
    }

    def _perturb(self, model, X, y, data_range):
        """Perturbed rows of one model."""
        if callable(self.attack):
            return apply_attack(self.attack, model, X, y)
        attack = GradientAttack(
            eps=self.eps,
            norm=self.norm,
            n_steps=self.n_steps if self.attack == "pgd" else 1,
            step_size=self.step_size if self.attack == "pgd" else None,
            data_range=data_range,
        )
        return apply_attack(attack, model, X, y)


def refuse_regressors(measure, model):
    """ValueError for a model without classes."""
    if not model.is_classifier:
        raise ValueError(
            f"{model} is a {model.task} and no classifier, which "
            f"{type(measure).__name__} compares."
        )
