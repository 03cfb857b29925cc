"""What the door to the GPU does when something is wrong, with a backend that only pretends to be one."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("minitorch_seg.kernels.cuda", reason="without kernels/cuda")

from minitorch_seg.errors import SizeError, UserError
from minitorch_seg.kernels.cuda import array, driver, memory
from minitorch_seg.kernels.cuda.driver import Kernel


class Pretender:
    """Memory that is not there, launches that are only written down; `full` says how often it is short."""

    def __init__(self, full=0, full_launches=0):
        self.full, self.full_launches = full, full_launches
        self.trimmed, self.launches = 0, []

    def empty(self, count, dtype):
        if self.full:
            self.full -= 1
            raise MemoryError
        return SimpleNamespace(count=count)

    def launch(self, kernel, grid, arguments):
        if self.full_launches:
            self.full_launches -= 1
            raise MemoryError
        self.launches.append((kernel.name, arguments))

    def from_host(self, values, place):
        pass

    def free(self):
        return 12345

    def trim(self):
        self.trimmed += 1


KERNEL = Kernel("double float32", lambda x: None, ("float32[::1]",), (32,))


def test_memory_that_waits_is_given_back_and_a_kernel_launched_again():
    with driver.using(Pretender(full_launches=1)) as _:
        backend = driver.backend
        x, y = array.empty((5,), "float32"), array.empty((700,), "float32")
        del y
        assert memory.waiting() > 0
        driver.launch(KERNEL, 1, x)
        assert [name for name, _ in backend.launches] == ["double float32"]
        assert backend.trimmed == 1 and memory.waiting() == 0


def test_a_kernel_that_finds_no_room_is_said_in_a_sentence():
    with driver.using(Pretender(full_launches=2)), pytest.raises(SizeError, match=r"double.*12,345 bytes"):
        driver.launch(KERNEL, 1, array.empty((5,), "float32"))


def test_arrays_in_a_cycle_are_freed_before_memory_is_called_full():
    gc.disable()
    try:
        with driver.using(Pretender()):
            ring = [array.empty((3000,), "float32")]
            ring.append(ring)
            alive = weakref.ref(ring[0])
            del ring
            assert alive() is not None
            driver.backend.full = 1
            kept = array.empty((10,), "float64")
            assert kept.size and alive() is None and driver.backend.trimmed == 1 and memory.waiting() == 0
            driver.backend.full = 2
            with pytest.raises(SizeError, match="no room for an array of 1,024 bytes"):
                array.empty((100,), "float64")
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "kind, text, expected, sentence",
    [
        ("CudaAPIError", "[700] Call to cuMemcpy: ILLEGAL_ADDRESS", UserError, "its arrays are lost"),
        ("CudaAPIError", "[2] CUDA_ERROR_OUT_OF_MEMORY", MemoryError, "OUT_OF_MEMORY"),
        (
            "LinkerError",
            "[222] UNSUPPORTED_PTX_VERSION\nptxas ...",
            UserError,
            r"refused a kernel \(\[222\].*580",
        ),
        ("NvvmError", "NVVM_ERROR_COMPILATION", UserError, "refused a kernel"),
    ],
)
def test_what_the_driver_says_becomes_a_sentence(kind, text, expected, sentence):
    error = type(kind, (Exception,), {})(text)
    with pytest.raises(expected, match=sentence) as found, driver._explained():
        raise error
    assert "\n" not in str(found.value)


def test_the_error_of_a_first_launch_is_explained_too(monkeypatch):
    def refused(kernel):
        raise type("LinkerError", (Exception,), {})("unsupported PTX")

    monkeypatch.setattr(driver, "_compile", refused)
    with pytest.raises(UserError, match="refused a kernel"):
        driver.Numba().launch(KERNEL, (1,), [])


class Recorder:
    """A device array of numba.cuda, as far as launches look at it."""

    def __init__(self, text="all"):
        self.text = text

    def __getitem__(self, part):
        return Recorder(f"{part.start}:{part.stop}")

    def reshape(self, shape):
        return Recorder(f"{self.text} {shape}")


@pytest.mark.parametrize(
    "simulated, offset, shape, passed",
    [
        (False, 0, (5,), "all"),
        (True, 0, (5,), "0:5"),
        (False, 3, (5,), "3:8"),
        (False, 0, (2, 3), "0:6 (2, 3)"),
        (True, 0, (128,), "all"),
    ],
)
def test_a_row_from_the_beginning_of_its_memory_is_passed_as_it_is(
    monkeypatch, simulated, offset, shape, passed
):
    monkeypatch.setattr(driver, "simulated", lambda: simulated)
    storage = SimpleNamespace(memory=Recorder(), count=128, dtype=np.dtype("float32"))
    assert driver._view(array.CudaArray(storage, shape, None, offset)).text == passed


def test_a_piece_of_an_array_that_kernels_cannot_count_through_is_computed():
    """The storage has more numbers than an int32 counts to, the view has four."""
    with driver.using(Pretender()):
        huge = array.empty((2**31 + 4096, 2), "uint8")
        few = huge[2**31 : 2**31 + 8 : 2, 1]
        backwards = huge[2**31 + 6 :: -(2**30), ::-1]
        np.add(few, few)
        with pytest.raises(UserError, match="too large for the int32"):
            huge[...] = 1
        for view in (few, backwards[:1]):
            row, first = view.memory()
            low, high = view.offset, view.offset
            for n, s in zip(view.shape, view.strides, strict=True):
                low, high = low + min((n - 1) * s, 0), high + max((n - 1) * s, 0)
            assert (row.offset, row.size, first) == (low, high - low + 1, view.offset - low)
        for _, arguments in driver.backend.launches:
            rows = [a for a in arguments if hasattr(a, "storage")]
            assert rows and all(a.size < 2**31 for a in rows)


@pytest.mark.parametrize(
    "present, stream, sentence",
    [
        (True, 1, "PER_THREAD_DEFAULT_STREAM is set"),
        (True, 0, "NVVM"),
        (False, 0, "no NVIDIA driver"),
    ],
)
def test_why_there_is_no_gpu(monkeypatch, present, stream, sentence):
    fake = SimpleNamespace(
        implementation="NVIDIA",
        is_available=lambda: False,
        cudadrv=SimpleNamespace(driver=SimpleNamespace(driver=SimpleNamespace(is_available=present))),
    )
    monkeypatch.setattr(driver, "cuda", fake)
    monkeypatch.setattr(driver.config, "CUDA_PER_THREAD_DEFAULT_STREAM", stream)
    assert sentence in driver._hardware_problem.__wrapped__()


def test_what_is_launched_is_compiled_as_the_proofs_compile_it(monkeypatch):
    """With the bounds that a kernel claims, and without optimisation at link time (machine_code.py)."""
    asked = []

    def jit(signature, **options):
        asked.append((signature, options))
        return lambda function: function

    monkeypatch.setattr(driver, "simulated", lambda: False)
    monkeypatch.setattr(driver, "cuda", SimpleNamespace(jit=jit))
    kernel = Kernel("any", lambda x, n: None, ("float32[::1]", "int32"), (16, 4), 3)
    assert driver._compile(kernel) is kernel.function
    assert asked == [("void(float32[::1], int32)", {"launch_bounds": (64, 3), "lto": False})]
    assert driver.config.CUDA_LOW_OCCUPANCY_WARNINGS == 0  # few blocks are no mistake
