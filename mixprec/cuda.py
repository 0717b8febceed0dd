"""GPUs: what there are, their memory, streams and events.

Work on a GPU is queued on the thread's current stream and runs later; what reads a value waits
for it. All threads share one stream unless they choose another.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from . import _core
from ._device import device as _device

__all__ = [
    "Event",
    "Stream",
    "current_stream",
    "device_count",
    "device_name",
    "empty_cache",
    "get_device_capability",
    "is_available",
    "is_bf16_supported",
    "max_memory_allocated",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_summary",
    "reset_peak_memory_stats",
    "stream",
    "synchronize",
    "wait_count",
]


def device_count() -> int:
    """The number of GPUs that can be used.

    Examples
    --------
    >>> mp.cuda.device_count() > 0 or not mp.cuda.is_available()
    True
    """
    return _core.cuda_device_count()


def is_available() -> bool:
    """Whether a GPU can be used. `mixprec info` says why not.

    Examples
    --------
    >>> device = "cuda" if mp.cuda.is_available() else "cpu"
    """
    return device_count() > 0


def _gpu(which: Any) -> str:
    """The name of a GPU that a number, a name or None (the current one) means."""
    if which is None:
        current = _core.default_device()
        return current if current.startswith("cuda") else "cuda:0"
    return _device("cuda", which) if isinstance(which, int) else _device(which)


def _described(which: Any) -> dict[str, Any]:
    name = _gpu(which)
    _core.cuda_memory(name)  # raises where the device is not there
    found = json.loads(_core.info()["cuda_found"])
    row: dict[str, Any] = found["devices"][int(name.partition(":")[2] or 0)]
    return row


def device_name(device: Any = None) -> str:
    """The name of a GPU, as its maker calls it."""
    return str(_described(device)["name"])


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a GPU: (9, 0) for Hopper."""
    major, minor = _described(device)["capability"].split(".")
    return int(major), int(minor)


def is_bf16_supported() -> bool:
    """Whether the current GPU computes bfloat16 products itself.

    Examples
    --------
    >>> dtype = mp.bfloat16 if mp.cuda.is_available() and mp.cuda.is_bf16_supported() else None
    """
    return get_device_capability() >= (8, 0)


def synchronize(device: Any = None) -> None:
    """Waits until all work of a GPU is done.

    Raises
    ------
    IndexError
        If a kernel met an index out of range since the last look.
    DeviceError
        If the device is not there, or a kernel has failed.
    """
    _core.cuda_synchronize(_gpu(device))


def wait_count(device: Any = None) -> int:
    """How often this thread has waited for a GPU, or called what may wait for one.

    Reading a value counts, and so does taking memory from the driver. A training loop that stays
    ahead of the GPU adds nothing to it from its third step on.

    Examples
    --------
    >>> before = mp.cuda.wait_count() if mp.cuda.is_available() else 0
    """
    return _core.cuda_waits(_gpu(device))


# ---- memory ----


def memory_allocated(device: Any = None) -> int:
    """Bytes that arrays hold on a GPU."""
    return _core.memory_stats(_gpu(device))[0]


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that arrays have held on a GPU, since `reset_peak_memory_stats`."""
    return _core.memory_stats(_gpu(device))[1]


def reset_peak_memory_stats(device: Any = None) -> None:
    """Lets `max_memory_allocated` begin again at what is held now."""
    _core.reset_peak(_gpu(device))


def memory_reserved(device: Any = None) -> int:
    """Bytes taken from the driver: held by arrays, by kernels at work, or kept for reuse."""
    return _core.cuda_memory(_gpu(device))[0]


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes free at the driver, and all bytes of a GPU."""
    return _core.cuda_memory(_gpu(device))[2:]


def empty_cache(device: Any = None) -> None:
    """Gives the driver back what no array uses. Waits for the GPU."""
    _core.cuda_empty_cache(_gpu(device))


def memory_summary(device: Any = None) -> str:
    """The figures of a GPU's memory as a text of some lines."""
    held, peak = _core.memory_stats(_gpu(device))
    reserved, cached, free, total = _core.cuda_memory(_gpu(device))
    rows = [
        ("held by arrays", held),
        ("at most so far", peak),
        ("taken from the driver", reserved),
        ("kept for reuse", cached),
        ("free at the driver", free),
        ("in all", total),
    ]
    lines = [f"{name:<22} {size / 2**20:>12,.1f} MiB" for name, size in rows]
    return "\n".join([f"{_gpu(device)}: {device_name(device)}", *lines])


# ---- readings ----


class Reading:
    """The values of a small array on their way to the host: looked at, never waited for."""

    def __init__(self, array: Any) -> None:
        self._device = str(array.device)
        self._values = _core.empty(array.shape, array.dtype, "cpu")
        self._letter = _core.cuda_post(self._device, array)
        self.set_out = self._letter != 0  # there may be too many on their way
        self._come = False

    def values(self) -> list[Any] | None:
        """What the array held, once it has come."""
        if self._letter and _core.cuda_fetch(self._device, self._letter, self._values):
            self._letter, self._come = 0, True
        return self._values.tolist() if self._come else None

    def __del__(self) -> None:
        if getattr(self, "_letter", 0):
            _core.cuda_fetch(self._device, self._letter, None)


# ---- streams ----


class Stream:
    """A queue of work on a GPU, beside the one that all threads share.

    Parameters
    ----------
    device : int or str, optional
        The GPU; None is the current one.
    priority : int
        Streams of a lower number go first.

    Notes
    -----
    Memory is reused in the order of the stream that it was made on. An array that another stream
    uses is safe; that the one stream's results are there when the other reads them is the caller's
    to see to, with `wait_stream` or an event.
    """

    def __init__(self, device: Any = None, priority: int = 0) -> None:
        self.device = _gpu(device)
        self._stream = _core.cuda_stream_new(self.device, priority)
        self._owned = True

    @classmethod
    def _of(cls, device: str, stream: int) -> Stream:
        self = cls.__new__(cls)
        self.device, self._stream, self._owned = device, stream, False
        return self

    def __del__(self) -> None:
        if getattr(self, "_owned", False):
            _core.cuda_stream_free(self.device, self._stream)

    @property
    def cuda_stream(self) -> int:
        """The cudaStream_t, for other libraries."""
        return _core.cuda_stream_handle(self.device, self._stream)

    def synchronize(self) -> None:
        """Waits for the stream's work."""
        _core.cuda_stream_wait(self.device, self._stream)

    def query(self) -> bool:
        """Whether the stream's work is done; does not wait."""
        return _core.cuda_stream_done(self.device, self._stream)

    def record_event(self, event: Event | None = None) -> Event:
        """Marks the stream's place with an event, a new one if none is given."""
        event = Event(device=self.device) if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Later work of this stream waits for the event. The host does not."""
        event.wait(self)

    def wait_stream(self, other: Stream) -> None:
        """Later work of this stream waits for the work that the other has now."""
        self.wait_event(other.record_event())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self._stream == other._stream

    def __hash__(self) -> int:
        return hash(self._stream)

    def __repr__(self) -> str:
        return f"<mixprec.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


def current_stream(device: Any = None) -> Stream:
    """The thread's stream on a GPU."""
    name = _gpu(device)
    current = _core.cuda_stream_use(name, 0)
    _core.cuda_stream_use(name, current)
    return Stream._of(name, current)


@contextlib.contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """Within, the thread's work on the stream's GPU goes to that stream. None changes nothing."""
    if stream is None:
        yield
        return
    before = _core.cuda_stream_use(stream.device, stream._stream)
    try:
        yield
    finally:
        _core.cuda_stream_use(stream.device, before)


class Event:
    """A place in the work of a stream, to wait for or to measure time between.

    Parameters
    ----------
    enable_timing : bool
        Whether `elapsed_time` can use it.
    device : int or str, optional
        The GPU; None is the current one.
    """

    def __init__(self, enable_timing: bool = False, device: Any = None) -> None:
        self.device = _gpu(device)
        self._event = _core.cuda_event_new(self.device, bool(enable_timing))

    def __del__(self) -> None:
        if hasattr(self, "_event"):
            _core.cuda_event_free(self.device, self._event)

    def record(self, stream: Stream | None = None) -> None:
        """Marks the place that the stream (None: the thread's) is at now."""
        stream = current_stream(self.device) if stream is None else stream
        _core.cuda_event_record(self.device, self._event, stream._stream)

    def wait(self, stream: Stream | None = None) -> None:
        """Later work of the stream (None: the thread's) waits for the event."""
        stream = current_stream(self.device) if stream is None else stream
        _core.cuda_event_block(self.device, self._event, stream._stream)

    def synchronize(self) -> None:
        """Waits until the work before the event is done."""
        _core.cuda_event_wait(self.device, self._event)

    def query(self) -> bool:
        """Whether the work before the event is done; does not wait."""
        return _core.cuda_event_done(self.device, self._event)

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to the other, both of which are done and keep time."""
        return _core.cuda_event_elapsed(self.device, self._event, end_event._event)

    def __enter__(self) -> Event:
        self.record()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None
