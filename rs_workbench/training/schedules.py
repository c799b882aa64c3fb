"""What changes from step to step, one for both frameworks: learning rate and running mean.

The loop sets the rate before each step, so that no scheduler of a framework takes part.
"""

from __future__ import annotations

import math

from rs_workbench.training.settings import TrainSettings

START = 25.0
"""By this factor ``one_cycle`` starts below the learning rate, as torch's does."""
END = 1e4
"""By this factor ``one_cycle`` ends below its start, as torch's does."""
POWER = 0.9
"""Of ``polynomial``; as in the DeepLab papers."""


def rate_at(settings: TrainSettings, step: int, total_steps: int) -> float:
    """Give the learning rate of one step.

    Parameters
    ----------
    settings : TrainSettings
        `schedule`, `learning_rate` and `warmup`, the share of all steps in which the rate rises.
    step : int
        From 0.
    total_steps : int
        Steps of the whole run.

    Returns
    -------
    float
        Above 0.

    Notes
    -----
    With r the learning rate, n all steps, w the warm-up's share and ``swing(a, b, t)`` the half
    wave ``b + (a - b) (1 + cos(pi t)) / 2`` that leads from a to b:

    - ``one_cycle`` [1]_ is torch's ``OneCycleLR``. It rises from r / 25 to r as
      ``swing(r / 25, r, step / e)``, with ``e = w n - 1``, then falls to r / 250,000 as
      ``swing(r, r / 250000, (step - e) / (n - 1 - e))``. Where e is not above 0, it only falls.
    - The others rise in a line, ``r (step + 1) / (m + 1)`` in the first ``m = round(w n)`` steps.
      With ``t = (step - m) / (n - m)`` they go on as ``swing(r, 0, t)`` (``cosine``),
      ``r (1 - t) ** 0.9`` (``polynomial``) and r (``constant``).

    References
    ----------
    .. [1] L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
       Large Learning Rates", 2018, https://arxiv.org/abs/1708.07120.

    Examples
    --------
    >>> settings = TrainSettings(scenes=("a.tif",), labels=("b.tif",), schedule="constant")
    >>> [rate_at(settings, step, 20) for step in (0, 1, 2, 19)]
    [0.0003333333333333333, 0.0006666666666666666, 0.001, 0.001]
    """
    step = min(step, total_steps - 1)
    if settings.schedule == "one_cycle":
        return _one_cycle(settings, step, total_steps)
    rate, rising = settings.learning_rate, round(settings.warmup * total_steps)
    if step < rising:
        return rate * (step + 1) / (rising + 1)
    t = (step - rising) / max(total_steps - rising, 1)
    if settings.schedule == "cosine":
        return _swing(rate, 0.0, t)
    if settings.schedule == "polynomial":
        return rate * (1 - t) ** POWER
    return rate


def decay_at(average: float, step: int) -> float:
    """Give the decay of the running mean of the weights at one step.

    The mean becomes ``decay * mean + (1 - decay) * weights`` after the step. At first it forgets
    fast, so that the random weights of the start soon weigh nothing.

    Parameters
    ----------
    average : float
        The decay in the long run.
    step : int
        From 0.

    Returns
    -------
    float
        ``min(average, (1 + step) / (10 + step))``.

    References
    ----------
    The warm start of TensorFlow's ExponentialMovingAverage (`num_updates`).

    Examples
    --------
    >>> decay_at(0.99, 0), decay_at(0.99, 10), decay_at(0.99, 10_000)
    (0.1, 0.55, 0.99)
    """
    return min(average, (1 + step) / (10 + step))


def weight_decay(settings: TrainSettings) -> float:
    """Give the share of each weight that a step takes off, per unit of learning rate.

    Parameters
    ----------
    settings : TrainSettings
        `optimizer` and `weight_decay`.

    Returns
    -------
    float
        0 for ``adam``, by which it differs from ``adamw``.

    Notes
    -----
    Before each step weights are multiplied by ``1 - rate * weight_decay`` (decoupled, as in AdamW
    [1]_), for ``sgd`` too; biases and what belongs to norms are left alone: all parameters of
    fewer than two axes.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019,
       https://arxiv.org/abs/1711.05101.
    """
    return 0.0 if settings.optimizer == "adam" else settings.weight_decay


def _one_cycle(settings: TrainSettings, step: int, total_steps: int) -> float:
    top = settings.learning_rate
    start, last = top / START, total_steps - 1
    peak = max(settings.warmup * total_steps - 1, 0.0)
    if step <= peak and peak > 0:
        return _swing(start, top, step / peak)
    return _swing(top, start / END, (step - peak) / (last - peak) if last > peak else 0.0)


def _swing(begin: float, end: float, t: float) -> float:
    """Half a wave from `begin` to `end`, for t from 0 to 1."""
    return end + (begin - end) * (1 + math.cos(math.pi * t)) / 2
