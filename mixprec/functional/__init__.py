"""The array functions of `mp.*`: a signature and a docstring for each row of the op table.

They mean what NumPy means; PyTorch's spellings are there where they collide with nothing. The
bodies are calls of the core, and of a few rows in turn where there is no row of that name.
"""

from . import (
    activation,
    comparison,
    editing,
    indexing,
    indices,
    joining,
    pointwise,
    product,
    reduce,
    shape,
    writing,
)
from .activation import *
from .comparison import *
from .editing import *
from .indexing import *
from .indices import *
from .joining import *
from .pointwise import *
from .product import *
from .reduce import *
from .shape import *
from .writing import *

__all__ = []
__all__ += activation.__all__
__all__ += comparison.__all__
__all__ += editing.__all__
__all__ += indexing.__all__
__all__ += indices.__all__
__all__ += joining.__all__
__all__ += pointwise.__all__
__all__ += product.__all__
__all__ += reduce.__all__
__all__ += shape.__all__
__all__ += writing.__all__
