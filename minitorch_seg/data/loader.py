"""DataLoader: batches for training, prepared by a few threads while the network works.

The same seed gives the same batches, bit for bit, for any number of workers: chance is drawn from a
counter-based generator keyed by (seed, epoch, index of the sample), never from a stream that threads would
share.  Threads, not processes: decoding and NumPy release the interpreter lock, nothing is forked, nothing
has to be pickled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.data.dataset import Dataset
from minitorch_seg.data.transforms import Transform
from minitorch_seg.errors import DataError, MinitorchSegError

Batch = tuple[Tensor, Tensor]
_ORDER, _SAMPLE = 0, 1  # two streams of chance: the order of an epoch, and what happens to one sample


class DataLoader:
    """Iterate over a data set in batches (images, masks).

    images: float32 of logical shape (N, C, H, W), channels-last in memory; masks: int64 (N, H, W).  An image
    that no transform made a float becomes v / 255.

    dataset: len(dataset) and dataset[i] -> Sample.  transform: t(image, mask, rng), see `transforms`.
    shuffle: a new order in each epoch.  drop_last: leave out a last batch that is not full.
    workers: threads; 0 prepares each batch when it is asked for.  weights: one a sample; with `shuffle` an
    epoch then draws as many samples as there are, in proportion to them: some twice, some not at all.

    Each pass is the next epoch; `set_epoch(e)` chooses it, for example to resume.

    >>> from minitorch_seg.data.dataset import ArrayDataset
    >>> data = ArrayDataset.from_arrays(np.zeros((5, 8, 6, 3), np.uint8), np.zeros((5, 8, 6), np.int64))
    >>> [images.shape for images, masks in DataLoader(data, batch_size=2)]
    [(2, 3, 8, 6), (2, 3, 8, 6), (1, 3, 8, 6)]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 8,
        shuffle: bool = False,
        transform: Transform | None = None,
        seed: int = 0,
        workers: int = 2,
        drop_last: bool = False,
        weights: np.ndarray | None = None,
    ) -> None:
        if batch_size < 1:
            raise DataError(f"batch_size must be at least 1, not {batch_size}.")
        if workers < 0:
            raise DataError(f"workers must be 0 (none) or more, not {workers}.")
        if not 0 <= seed < 2**63:
            raise DataError(f"seed must be a whole number from 0 to 2^63 - 1, not {seed}.")
        if len(dataset) == 0:
            raise DataError("the data set is empty; a DataLoader needs at least one image.")
        self.dataset, self.transform = dataset, transform
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.seed, self.workers = seed, workers
        self.share = None if weights is None else np.asarray(weights, np.float64) / np.sum(weights)
        if self.share is not None and self.share.shape != (len(dataset),):
            raise DataError(
                f"weights: {self.share.shape} numbers for {len(dataset)} samples; one each is needed."
            )
        self.epoch = 0

    def __len__(self) -> int:
        """The number of batches."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch (from 0)."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = np.arange(len(self.dataset))
        if self.shuffle:
            rng = self._rng(epoch, _ORDER, 0)
            order = (
                rng.permutation(order) if self.share is None else rng.choice(order, len(order), p=self.share)
            )
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        batches = [order[start : start + self.batch_size].tolist() for start in starts]
        if self.workers == 0:
            return (_tensors(*self._batch(epoch, number, batch)) for number, batch in enumerate(batches))
        return self._prefetch(epoch, batches)

    def _prefetch(self, epoch: int, batches: list[list[int]]) -> Iterator[Batch]:
        """Keep one batch per worker, and one more, under way; hand them out in order."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="minitorch-seg-loader")
        ahead: deque[Future[tuple[np.ndarray, np.ndarray]]] = deque()
        try:
            for number, batch in enumerate(batches):
                ahead.append(pool.submit(self._batch, epoch, number, batch))
                if len(ahead) > self.workers:
                    yield _tensors(*ahead.popleft().result())
            while ahead:
                yield _tensors(*ahead.popleft().result())
        finally:  # also after a break or an exception in the caller's loop
            pool.shutdown(wait=True, cancel_futures=True)

    def _rng(self, epoch: int, stream: int, index: int, place: int = 0) -> np.random.Generator:
        # Draws advance the first word, so no two samples can ever meet; `place` in the epoch tells apart the
        # two times that a weighted sample is drawn.
        counter = [0, place, index, stream]
        return np.random.Generator(np.random.Philox(key=[self.seed, epoch], counter=counter))

    def _batch(self, epoch: int, number: int, indices: list[int]) -> tuple[np.ndarray, np.ndarray]:
        images, masks, names = [], [], []
        for offset, index in enumerate(indices):
            place = 0 if self.share is None else number * self.batch_size + offset
            image, mask, name = self._sample(epoch, index, place)
            images.append(image)
            masks.append(mask)
            names.append(name)
        for image, name in zip(images, names, strict=True):
            if image.shape != images[0].shape:
                raise DataError(
                    f"batch {number} holds images of different shapes, {_shape(images[0])} ({names[0]}) "
                    f"and {_shape(image)} ({name}); use batch_size=1, or a RandomCrop to make them one size."
                )
        return np.stack(images), np.stack(masks)

    def _sample(self, epoch: int, index: int, place: int) -> tuple[np.ndarray, np.ndarray, str]:
        name = f"sample {index}"
        try:
            sample = self.dataset[index]
            image, mask, name = sample.image, sample.mask, sample.name
            if self.transform is not None:
                image, mask = self.transform(image, mask, self._rng(epoch, _SAMPLE, index, place))
        except MinitorchSegError as error:
            if name in str(error) or name.startswith("sample "):
                raise
            raise type(error)(f"{name}: {error}") from error
        except Exception as error:
            error.add_note(f"while preparing {name} (index {index} of the data set)")
            raise
        if image.dtype == np.uint8:
            image = image / np.float32(255)
        return image.astype(np.float32, copy=False), mask, name


def _tensors(images: np.ndarray, masks: np.ndarray) -> Batch:
    """The stack (N, H, W, C) is handed on as a view (N, C, H, W): channels-last in memory, not copied."""
    return Tensor(images.transpose(0, 3, 1, 2)), Tensor(masks)


def _shape(image: np.ndarray) -> str:
    return "x".join(map(str, image.shape))
