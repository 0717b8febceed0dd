"""Batches for a training loop: shuffled rows of arrays, made ahead of time by a thread.

`batches` takes whole arrays (NumPy's or mixprec's) and yields mixprec arrays. Reading files,
augmenting and collating are left to the caller.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator
from typing import Any

import numpy as np

from . import _core, cuda

__all__ = ["Batches", "batches"]

_END = object()


class Batches:
    """What `batches` returns. Each iteration is the next epoch; set `epoch` to resume at one."""

    def __init__(
        self,
        arrays: tuple[Any, ...],
        batch_size: int,
        shuffle: bool = False,
        seed: int | None = None,
        drop_last: bool = False,
        prefetch: int = 2,
        progress: bool | str = False,
        device: str | None = None,
    ) -> None:
        self.batch_size = _count("batch_size", batch_size, 1)
        self.prefetch = _count("prefetch", prefetch, 0)
        self.shuffle, self.drop_last, self.device = bool(shuffle), bool(drop_last), device
        self.progress = progress
        self.epoch = 0
        if progress:
            _tqdm()
        if not arrays:
            raise ValueError("batches: no arrays")
        self._sources = tuple(_source(i, a) for i, a in enumerate(arrays))
        self._rows = len(self._sources[0])
        for i, a in enumerate(self._sources):
            if len(a) != self._rows:
                raise ValueError(f"batches: array {i} has {len(a)} rows, array 0 has {self._rows}")
        if device is not None:
            _core.empty((0,), "float32", device)  # refuses an unknown device
        devices = [str(device)] if device is not None else [str(a.device) for a in self._on_gpu()]
        self._gpu = next((name for name in devices if name.startswith("cuda")), None)
        self._seed = _core.rng_next("cpu") if seed is None else (_count("seed", seed, 0),)

    def _on_gpu(self) -> list[Any]:
        return [source for source in self._sources if not isinstance(source, np.ndarray)]

    def __len__(self) -> int:
        whole, rest = divmod(self._rows, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __repr__(self) -> str:
        return f"Batches(rows={self._rows}, batch_size={self.batch_size}, epoch={self.epoch})"

    def __iter__(self) -> Generator[Any, None, None]:
        epoch = self.epoch
        self.epoch += 1
        run = self._ahead(epoch) if self.prefetch else self._make(epoch)
        return self._shown(run, epoch) if self.progress else run

    def _make(self, epoch: int) -> Generator[Any, None, None]:
        """Makes the batches of one epoch. Every batch is a fresh copy."""
        order = None
        if self.shuffle:
            order = np.random.default_rng([*self._seed, epoch]).permutation(self._rows)
        for i in range(len(self)):
            begin = i * self.batch_size
            end = min(begin + self.batch_size, self._rows)
            rows = np.arange(begin, end) if order is None else order[begin:end]
            batch = tuple(_rows(a, rows) for a in self._sources)
            if self.device is not None:
                batch = tuple(a.to(self.device) for a in batch)
            yield batch[0] if len(batch) == 1 else batch

    def _ahead(self, epoch: int) -> Generator[Any, None, None]:
        """The same, up to `prefetch` batches ahead, made by a thread that ends with this.

        On a GPU the thread works on a stream of its own, which the consumer's stream waits for.
        """
        ready: queue.Queue[Any] = queue.Queue(self.prefetch)
        stream = None if self._gpu is None else cuda.Stream(self._gpu)
        if stream is not None and self._on_gpu():
            stream.wait_stream(cuda.current_stream(self._gpu))
        stop = threading.Event()
        thread = threading.Thread(
            target=_produce,
            args=(self._make(epoch), ready, stop, stream),
            name="mixprec-batches",
            daemon=True,
        )
        thread.start()
        try:
            while True:
                item = _next_item(ready, thread)
                if item is _END:
                    return
                if isinstance(item, _Failure):
                    raise item.error
                batch, made = item
                if made is not None:
                    made.wait()
                del item
                yield batch
                del batch
        finally:
            stop.set()
            if thread.is_alive() and thread is not threading.current_thread():
                with contextlib.suppress(queue.Empty):  # makes room for a put that waits
                    while True:
                        ready.get_nowait()
                thread.join()

    def _shown(self, run: Generator[Any, None, None], epoch: int) -> Generator[Any, None, None]:
        label = self.progress if isinstance(self.progress, str) else f"epoch {epoch}"
        bar = _tqdm()(total=len(self), desc=label, leave=False)
        with bar, contextlib.closing(run) as closing:
            for batch in closing:
                yield batch
                bar.update()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _produce(
    batches: Generator[Any, None, None],
    ready: queue.Queue[Any],
    stop: threading.Event,
    stream: cuda.Stream | None,
) -> None:
    """The thread: hands batches over until none is left, one fails, or the consumer is gone."""
    last: Any = _END
    try:
        with cuda.stream(stream):
            for batch in batches:
                ready.put((batch, None if stream is None else stream.record_event()))
                if stop.is_set():
                    return
    except BaseException as error:
        last = _Failure(error)
    if not stop.is_set():
        ready.put(last)


def _next_item(ready: queue.Queue[Any], thread: threading.Thread) -> Any:
    """The thread's next item; an error where the thread is gone (after a fork, say)."""
    while True:
        try:
            return ready.get(timeout=1.0)
        except queue.Empty:
            if not thread.is_alive() and ready.empty():
                raise RuntimeError(
                    "batches: the prefetch thread is gone (did the process fork?)"
                ) from None


def _source(i: int, array: Any) -> Any:
    """A NumPy array (a view where it can be), or a mixprec array that lies on another device."""
    if isinstance(array, _core.ndarray):
        array = array.detach()
        if array.device == "cpu":
            array = array.numpy()
    else:
        array = np.asarray(array)
        _core.from_numpy(array[:0].copy() if array.ndim else array.copy())  # refuses dtypes we lack
    if array.ndim == 0:
        raise ValueError(f"batches: array {i} has no rows (its shape is ())")
    return array


def _rows(source: Any, rows: np.ndarray[Any, Any]) -> Any:
    """A new mixprec array of some rows."""
    if isinstance(source, np.ndarray):
        return _core.from_numpy(source[rows])
    return _core.take(source, _core.from_numpy(rows).to(source.device), 0)


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"batches: {name} is {value!r}, not an integer")
    value = value.__index__()
    if value < least:
        raise ValueError(f"batches: {name} is {value}, less than {least}")
    return int(value)


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError(
            "batches: progress needs tqdm: pip install 'mixprec[demo]', or pass progress=False"
        ) from None
    return tqdm


def batches(
    *arrays: Any,
    batch_size: int,
    shuffle: bool = False,
    seed: int | None = None,
    drop_last: bool = False,
    prefetch: int = 2,
    progress: bool | str = False,
    device: str | None = None,
) -> Batches:
    """Rows of arrays in batches, as mixprec arrays.

    Parameters
    ----------
    *arrays : array_like
        Arrays of the same length, NumPy's or mixprec's. A batch is a copy of some of their rows.
    batch_size : int
        Rows in a batch; the last one may have fewer.
    shuffle : bool
        Takes the rows in a new order each epoch, given by `seed` and the epoch's number alone.
    seed : int, optional
        None takes one from mixprec's generator, so that `mp.manual_seed` fixes it.
    drop_last : bool
        Leaves a last batch with fewer rows out.
    prefetch : int
        How many batches a thread makes ahead; 0 does without a thread.
    progress : bool or str
        Shows a tqdm bar, under this name if it is a str.
    device : str, optional
        Where the batches go. None leaves them where the arrays are. To a GPU they are copied on a
        stream of their own, beside the work of the consumer, who does not wait.

    Returns
    -------
    Batches
        An iterable with a length. It yields tuples, or plain arrays where one array was given.
        Each iteration of it is a new epoch.

    Examples
    --------
    >>> import numpy as np, mixprec as mp
    >>> [x.shape for x in mp.data.batches(np.zeros((5, 3)), batch_size=2)]
    [(2, 3), (2, 3), (1, 3)]
    """
    return Batches(arrays, batch_size, shuffle, seed, drop_last, prefetch, progress, device)
