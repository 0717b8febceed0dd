"""How arrays lie in memory, as NumPy shows it: `flags`, `flat`, `base` and `setflags`; and what a
0-d array does as a number beyond its operators."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _core
from ._core import ndarray
from ._typing import ArrayLike

__all__ = ["flagsobj", "flatiter"]

# ---- flags ----

# NumPy's names, long and short, and the attributes that they are.
_FLAGS = {
    "C_CONTIGUOUS": "c_contiguous",
    "C": "c_contiguous",
    "CONTIGUOUS": "c_contiguous",
    "F_CONTIGUOUS": "f_contiguous",
    "F": "f_contiguous",
    "FORTRAN": "f_contiguous",
    "OWNDATA": "owndata",
    "O": "owndata",
    "WRITEABLE": "writeable",
    "W": "writeable",
    "ALIGNED": "aligned",
    "A": "aligned",
    "WRITEBACKIFCOPY": "writebackifcopy",
    "X": "writebackifcopy",
    "FNC": "fnc",
    "FORC": "forc",
    "BEHAVED": "behaved",
    "B": "behaved",
    "CARRAY": "carray",
    "CA": "carray",
    "FARRAY": "farray",
    "FA": "farray",
}
_SHOWN = ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA", "WRITEABLE", "ALIGNED", "WRITEBACKIFCOPY")


class flagsobj:
    """The flags of an array, as attributes and as items.

    Examples
    --------
    >>> x = mp.ones((2, 3))
    >>> x.flags.c_contiguous, x.T.flags["C_CONTIGUOUS"]
    (True, False)
    """

    __slots__ = ("_array",)

    def __init__(self, array: ndarray) -> None:
        self._array = array

    @property
    def c_contiguous(self) -> bool:
        """Whether the elements lie by rows without gaps. Also spelled `contiguous`."""
        return _core.flags(self._array)[0]

    @property
    def f_contiguous(self) -> bool:
        """Whether the elements lie by columns without gaps. Also spelled `fortran`."""
        return _core.flags(self._array)[1]

    @property
    def owndata(self) -> bool:
        """Whether the memory is the array's own."""
        return _core.flags(self._array)[2]

    @property
    def writeable(self) -> bool:
        """Whether elements can be written. Can be set; views of the memory change too."""
        return _core.flags(self._array)[3]

    @writeable.setter
    def writeable(self, value: bool) -> None:
        _core.set_writeable(self._array, bool(value))

    @property
    def aligned(self) -> bool:
        """True: memory that is not aligned is copied."""
        return True

    @property
    def writebackifcopy(self) -> bool:
        """False: an array is no copy to be written back."""
        return False

    @property
    def fnc(self) -> bool:
        """By columns, and not by rows too."""
        return self.f_contiguous and not self.c_contiguous

    @property
    def forc(self) -> bool:
        """By columns or by rows."""
        return self.f_contiguous or self.c_contiguous

    @property
    def behaved(self) -> bool:
        """Aligned and writeable."""
        return self.writeable

    @property
    def carray(self) -> bool:
        """By rows and writeable."""
        return self.c_contiguous and self.writeable

    @property
    def farray(self) -> bool:
        """By columns only, and writeable."""
        return self.fnc and self.writeable

    contiguous = c_contiguous
    fortran = f_contiguous

    def __getitem__(self, name: str) -> bool:
        if name not in _FLAGS:
            raise KeyError(f"flags: there is no flag {name!r}")
        value: bool = getattr(self, _FLAGS[name])
        return value

    def __setitem__(self, name: str, value: bool) -> None:
        if _FLAGS.get(name) != "writeable":
            raise KeyError(f"flags: {name!r} cannot be set")
        self.writeable = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, flagsobj):
            return NotImplemented
        return all(self[name] == other[name] for name in _SHOWN)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "".join(f"  {name} : {self[name]}\n" for name in _SHOWN)


# ---- flat ----


class flatiter:
    """The elements of an array by rows: to iterate over, and to read and write by flat indices.

    Examples
    --------
    >>> x = mp.ones((2, 2))
    >>> x.flat[1] = 5.0
    >>> x.flat[1:3].tolist()
    [5.0, 1.0]
    """

    __module__ = "mixprec"
    __slots__ = ("base", "index")

    def __init__(self, base: ndarray) -> None:
        self.base = base
        self.index = 0

    @property
    def coords(self) -> tuple[int, ...]:
        """The indices of the element that comes next."""
        return tuple(map(int, np.unravel_index(self.index, self.base.shape)))

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Iterator[ndarray]:
        return self

    def __next__(self) -> ndarray:
        if self.index >= self.base.size:
            raise StopIteration
        place = self.coords
        self.index += 1
        return self.base[place]

    def __getitem__(self, index: Any) -> ndarray:
        picked = _core.reshape(self.base, (-1,))[index]
        return _core.copy(picked) if picked.ndim else picked

    def __setitem__(self, index: Any, value: ArrayLike) -> None:
        base = self.base
        places = np.arange(base.size)[_numpys(index)]
        repeated = _repeated(value, places)
        if base.is_contiguous():
            _core.reshape(base, (-1,))[index] = repeated
        elif isinstance(places, np.ndarray):
            base[tuple(np.unravel_index(places, base.shape))] = repeated
        else:
            base[tuple(map(int, np.unravel_index(places, base.shape)))] = repeated

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        flat = _core.reshape(self.base, (-1,)).numpy()
        return np.array(flat, dtype, copy=copy)

    def copy(self) -> ndarray:
        """The elements in one dimension, in memory of their own."""
        return _core.copy(_core.reshape(self.base, (-1,)))


def _numpys(index: Any) -> Any:
    return index.detach().numpy() if isinstance(index, ndarray) else index


def _repeated(value: ArrayLike, places: Any) -> ArrayLike:
    """As many values as there are places, from the front again and again, as NumPy does."""
    from .creation import asarray

    count = np.size(places)
    values = asarray(value)
    if values.ndim == 0 or np.ndim(places) == 0:
        return _core.reshape(values, (-1,))[0] if values.ndim else value
    values = _core.reshape(values, (-1,))
    if values.size in (1, count):
        return values
    return values[asarray(np.arange(count) % values.size)]


# ---- methods and properties of arrays, bound by mixprec/_methods.py ----


def get_flags(self: ndarray) -> flagsobj:
    """How it lies in memory: `c_contiguous`, `f_contiguous`, `owndata`, `writeable`, `aligned`."""
    return flagsobj(self)


def get_flat(self: ndarray) -> flatiter:
    """The elements by rows, as an iterator with indices. Assigning writes all, again and again."""
    return flatiter(self)


def set_flat(self: ndarray, value: ArrayLike) -> None:
    """Writes the elements by rows."""
    flatiter(self)[:] = value


def get_base(self: ndarray) -> Any:
    """The array that this one is a view of, NumPy's whose memory it shares, or None."""
    return _core.base(self)


def get_real(self: ndarray) -> ndarray:
    """The real part: the array itself."""
    return self


def get_imag(self: ndarray) -> ndarray:
    """The imaginary part: zeros."""
    return _core.full(self.shape, self.dtype, self.device, 0)


def setflags(
    self: ndarray, write: bool | None = None, align: bool | None = None, uic: bool | None = None
) -> None:
    """Lets the array's memory be written to, or not.

    Parameters
    ----------
    write : bool, optional
        Whether it can be; views of the memory change too.
    align, uic : bool, optional
        NumPy's; arrays are always aligned and never copies to be written back.

    Raises
    ------
    ValueError
        If the memory was read-only from the start, or elements share it.
    """
    if align is not None and not align:
        raise ValueError("setflags: arrays are always aligned")
    if uic:
        raise ValueError("setflags: an array is no copy to be written back")
    if write is not None:
        _core.set_writeable(self, bool(write))


def _number(op: str, self: ndarray) -> Any:
    if self.ndim:
        raise TypeError(
            f"{op}: an array of shape {self.shape} is not a number, one of 0 dimensions is wanted"
        )
    return self.item()


def is_integer(self: ndarray) -> bool:
    """Whether a 0-d array's number is whole."""
    value = _number("is_integer", self)
    return not isinstance(value, float) or value.is_integer()


def __round__(self: ndarray, ndigits: int | None = None) -> Any:
    """A 0-d array's number rounded: to an int, or to that many digits in the array's dtype."""
    value = _number("round", self)
    if ndigits is None:
        return round(value)
    return _core.value(round(value, ndigits), self.dtype)


def __trunc__(self: ndarray) -> int:
    """A 0-d array's number rounded towards 0."""
    rounded: int = math.trunc(_number("trunc", self))
    return rounded


def __floor__(self: ndarray) -> int:
    """A 0-d array's number rounded down."""
    rounded: int = math.floor(_number("floor", self))
    return rounded


def __ceil__(self: ndarray) -> int:
    """A 0-d array's number rounded up."""
    rounded: int = math.ceil(_number("ceil", self))
    return rounded


def __complex__(self: ndarray) -> complex:
    """A 0-d array's number as a complex one."""
    return complex(_number("complex", self))


METHODS = (setflags, is_integer, __round__, __trunc__, __floor__, __ceil__, __complex__)
PROPERTIES = {
    "flags": property(get_flags),
    "flat": property(get_flat, set_flat),
    "base": property(get_base),
    "real": property(get_real),
    "imag": property(get_imag),
}
