"""The array functions of `mp.*`: a signature and a docstring for each row of the op table.

They mean what NumPy means; PyTorch's spellings are there where they collide with nothing. The
bodies are calls of the core, and of a few rows in turn where there is no row of that name.
"""

from . import (
    activation,
    comparison,
    contraction,
    diagonals,
    joining,
    pointwise,
    product,
    rearranging,
    reduce,
    shape,
)
from .activation import *
from .comparison import *
from .contraction import *
from .diagonals import *
from .joining import *
from .pointwise import *
from .product import *
from .rearranging import *
from .reduce import *
from .shape import *

__all__ = []
__all__ += activation.__all__
__all__ += comparison.__all__
__all__ += diagonals.__all__
__all__ += contraction.__all__
__all__ += joining.__all__
__all__ += pointwise.__all__
__all__ += product.__all__
__all__ += rearranging.__all__
__all__ += reduce.__all__
__all__ += shape.__all__
