"""Every kernel that can be launched, for the tests that compile and execute them all without a GPU.

The list is finite: what depends on a shape is an argument of a kernel, and only block sizes, dtypes and
elementary functions are compiled in.  So any shape works, and no kernel is compiled that was not tested.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from minitorch_seg.kernels import cuda
from minitorch_seg.kernels.cuda.driver import Kernel


def variants() -> Iterator[Kernel]:
    """All kernels of all modules beside this one, each once."""
    seen: set[str] = set()
    for name in sorted(m.name for m in pkgutil.iter_modules(cuda.__path__)):
        module = importlib.import_module(f"{cuda.__name__}.{name}")
        if name == "catalogue" or not hasattr(module, "variants"):
            continue
        for kernel in module.variants():
            if kernel.name not in seen:
                seen.add(kernel.name)
                yield kernel
