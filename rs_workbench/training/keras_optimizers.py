"""Optimisers of Keras that step as those of `torch_learner` do."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from rs_workbench.training.keras_place import Place
from rs_workbench.training.schedules import weight_decay
from rs_workbench.training.settings import TrainSettings

Tensor = Any


def make_optimizer(
    model: keras.Model, settings: TrainSettings, place: Place
) -> keras.optimizers.Optimizer:
    """Make the optimiser of a run, with its variables.

    Parameters
    ----------
    model : keras.Model
        What it will change.
    settings : TrainSettings
        `optimizer`, `learning_rate`, `weight_decay` and `clip`.
    place : Place
        Where it learns; in float16 the optimiser scales the loss.

    Returns
    -------
    keras.optimizers.Optimizer
        Its weight decay is decoupled and leaves out what has fewer than two axes.
    """
    common = {
        "learning_rate": settings.learning_rate,
        "weight_decay": weight_decay(settings) or None,
        "global_clipnorm": settings.clip and settings.clip / place.replicas,
    }
    optimizer = (Sgd if settings.optimizer == "sgd" else Adam)(**common)
    trained = model.trainable_variables
    optimizer.exclude_from_weight_decay([v for v in trained if len(v.shape) < 2])
    if place.policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(trained)
    return optimizer


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    model: keras.Model,
    gradients: list[Tensor],
    place: Place,
) -> None:
    """Take one step.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        What `make_optimizer` gave.
    model : keras.Model
        Its trainable variables are changed.
    gradients : list of tensor
        One for each of them, of the whole batch.
    place : Place
        Where it learns.
    """
    if place.strategy is None:
        optimizer.apply(gradients, model.trainable_variables)
        return
    # Keras clips what a replica has before it adds up what all have: so each has its share
    shares = [gradient / place.replicas for gradient in gradients]
    place.strategy.run(
        lambda mine: optimizer.apply(mine, model.trainable_variables), args=(shares,)
    )


class Sgd(keras.optimizers.SGD):
    """Gradient descent with Nesterov's momentum of 0.9, as torch has it.

    The velocity adds up gradients; Keras' own adds up steps, so that an earlier, higher rate
    lives on in it.

    Parameters
    ----------
    **options : Any
        Of every optimiser of Keras.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(momentum=0.9, nesterov=True, **options)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Any) -> None:
        """Move one variable.

        Parameters
        ----------
        gradient : tensor
            Its gradient.
        variable : variable
            Changed in place.
        learning_rate : tensor
            The rate.
        """
        velocity = self.momentums[self._get_variable_index(variable)]
        gradient = ops.cast(gradient, variable.dtype)
        added = self.momentum * velocity + gradient
        self.assign(velocity, added)
        self.assign_sub(variable, learning_rate * (gradient + self.momentum * added))


class Adam(keras.optimizers.Adam):
    """Adam as torch has it [1]_.

    It adds epsilon after the bias of the second moment is corrected. Keras' own adds it before:
    that counts as thirty times as much in the first step, and weights with small gradients move
    less.

    Parameters
    ----------
    **options : Any
        Of every optimiser of Keras.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
       https://arxiv.org/abs/1412.6980: algorithm 1; Keras' own is the shorter form below it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(beta_1=0.9, beta_2=0.999, epsilon=1e-8, **options)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Any) -> None:
        """Move one variable.

        Parameters
        ----------
        gradient : tensor
            Its gradient.
        variable : variable
            Changed in place.
        learning_rate : tensor
            The rate.
        """
        place = self._get_variable_index(variable)
        first, second = self._momentums[place], self._velocities[place]
        gradient = ops.cast(gradient, variable.dtype)
        mean = first + (1 - self.beta_1) * (gradient - first)
        square = second + (1 - self.beta_2) * (ops.square(gradient) - second)
        self.assign(first, mean)
        self.assign(second, square)
        size = ops.sqrt(square / self._known(self.beta_2)) + self.epsilon
        self.assign_sub(variable, learning_rate * mean / self._known(self.beta_1) / size)

    def _known(self, beta: float) -> Tensor:
        """Share of a running mean that is not its start: 1 - beta ** step, no digits lost."""
        step = ops.cast(self.iterations + 1, "float32")
        return -ops.expm1(step * math.log(beta))
