"""The array functions of `mp.*`: a signature and a docstring for each row of the op table.

They mean what NumPy means; PyTorch's spellings are there where they collide with nothing. The
bodies are calls of the core, and of a few rows in turn where there is no row of that name.
"""

from . import (
    activation,
    bitwise,
    comparison,
    contraction,
    diagonals,
    division,
    editing,
    exponential,
    indexing,
    indices,
    joining,
    logical,
    pointwise,
    product,
    rearranging,
    reduce,
    rounding,
    shape,
    trigonometry,
    writing,
)
from .activation import *
from .bitwise import *
from .comparison import *
from .contraction import *
from .diagonals import *
from .division import *
from .editing import *
from .exponential import *
from .indexing import *
from .indices import *
from .joining import *
from .logical import *
from .pointwise import *
from .product import *
from .rearranging import *
from .reduce import *
from .rounding import *
from .shape import *
from .trigonometry import *
from .writing import *

__all__ = []
__all__ += activation.__all__
__all__ += bitwise.__all__
__all__ += comparison.__all__
__all__ += contraction.__all__
__all__ += diagonals.__all__
__all__ += division.__all__
__all__ += editing.__all__
__all__ += exponential.__all__
__all__ += indexing.__all__
__all__ += indices.__all__
__all__ += joining.__all__
__all__ += logical.__all__
__all__ += pointwise.__all__
__all__ += product.__all__
__all__ += rearranging.__all__
__all__ += reduce.__all__
__all__ += rounding.__all__
__all__ += shape.__all__
__all__ += trigonometry.__all__
__all__ += writing.__all__
