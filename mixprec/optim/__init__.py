"""Optimizers whose step is one kernel over all parameters, and learning-rate schedules.

Names, arguments and state_dicts are those of `torch.optim`.
"""

from . import lr_scheduler
from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
