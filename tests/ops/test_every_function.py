"""What holds for every operation that is recorded: nothing of it outlives its graph, a fused one has a twin
that is tested, and an example of each public operator exists.
"""

import gc
import inspect
import weakref

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.autograd import Function
from minitorch_seg.examples import examples
from minitorch_seg.ops.batch_norm import BatchNorm
from minitorch_seg.ops.cross_entropy import CrossEntropy
from minitorch_seg.ops.gru import GatedRecurrence, Memory
from minitorch_seg.ops.rnn import Recurrence
from minitorch_seg.ops.softmax import LogSoftmax, Softmax
from tests import helpers


def functions(base=Function):
    """Every Function of the package."""
    for cls in base.__subclasses__():
        if cls.__module__.startswith("minitorch_seg."):
            yield cls
        yield from functions(cls)


#: Fused function -> the file whose test compares it with its twin, in first and second order.
FUSED = {
    BatchNorm: "test_batch_norm",
    CrossEntropy: "test_cross_entropy",
    GatedRecurrence: "test_gru",
    LogSoftmax: "test_softmax",
    Memory: "test_gru",
    Recurrence: "test_rnn",
    Softmax: "test_softmax",
}


def test_every_fused_function_is_compared_with_its_twin():
    assert {f for f in functions() if f.twin is not None} == set(FUSED)
    for function, name in FUSED.items():
        module = __import__(f"tests.ops.{name}", fromlist=["x"])
        text = inspect.getsource(module)
        assert "twin_agrees(" in text and function.__name__ in text, (
            f"{name} does not test {function.__name__}"
        )


def nodes_below(output):
    found, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [edge[0] for edge in getattr(node, "edges", ()) if edge is not None]
    return list(found)


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.operator)
def test_nothing_outlives_the_graph_without_the_garbage_collector(example):
    """Results, nodes and arguments die with the last name for them: no circle of references is left."""

    def run():
        tensors = [ms.Tensor(a.copy(), requires_grad=True) for a in example.arrays]
        return tensors, helpers.as_list(example.call(*tensors))

    def differentiate(outputs):
        ms.backward([o for o in outputs if o.requires_grad], [np.ones(o.shape) for o in outputs])

    differentiate(run()[1])  # what is compiled on first use is compiled from now on
    gc.collect()
    gc.disable()
    try:
        tensors, outputs = run()
        watched = [weakref.ref(o) for o in (*tensors, *outputs, *nodes_below(outputs[0]))]
        watched += [weakref.ref(t.data) for t in tensors]
        differentiate(outputs)
        assert any(t.grad is not None for t in tensors)
        del tensors, outputs
        alive = [w() for w in watched if w() is not None]
        assert not alive, f"still there: {alive[:3]}"
    finally:
        gc.enable()


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.operator)
def test_a_graph_that_is_dropped_without_backward_dies_too(example):
    gc.collect()
    gc.disable()
    try:
        outputs = helpers.as_list(example.call(*[ms.Tensor(a, requires_grad=True) for a in example.arrays]))
        watched = [weakref.ref(n) for n in nodes_below(outputs[0])]
        del outputs
        assert all(w() is None for w in watched)
    finally:
        gc.enable()
