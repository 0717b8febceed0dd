"""The array functions of `mp.*`: a signature and a docstring for each row of the op table.

They mean what NumPy means; PyTorch's spellings are there where they collide with nothing. The
bodies are calls of the core, and of a few rows in turn where there is no row of that name.
"""

from . import (
    activation,
    comparison,
    joining,
    nanreduce,
    pointwise,
    product,
    quantiles,
    reduce,
    scan,
    searching,
    sets,
    shape,
    sorting,
    statistics,
)
from .activation import *
from .comparison import *
from .joining import *
from .nanreduce import *
from .pointwise import *
from .product import *
from .quantiles import *
from .reduce import *
from .scan import *
from .searching import *
from .sets import *
from .shape import *
from .sorting import *
from .statistics import *

__all__ = []
__all__ += activation.__all__
__all__ += comparison.__all__
__all__ += joining.__all__
__all__ += nanreduce.__all__
__all__ += pointwise.__all__
__all__ += product.__all__
__all__ += quantiles.__all__
__all__ += reduce.__all__
__all__ += scan.__all__
__all__ += searching.__all__
__all__ += sets.__all__
__all__ += shape.__all__
__all__ += sorting.__all__
__all__ += statistics.__all__
