"""Automatic mixed precision: which ops run narrow (`autocast`), and loss scaling (`GradScaler`).

Names and behaviour are those of `torch.amp`; what differs is said at each name.
"""

from .autocast_mode import (
    AutocastTable,
    autocast,
    autocast_table,
    custom_bwd,
    custom_fwd,
    get_autocast_dtype,
    is_autocast_available,
    is_autocast_enabled,
)
from .grad_scaler import GradScaler, StepResult

__all__ = [
    "AutocastTable",
    "GradScaler",
    "StepResult",
    "autocast",
    "autocast_table",
    "custom_bwd",
    "custom_fwd",
    "get_autocast_dtype",
    "is_autocast_available",
    "is_autocast_enabled",
]
