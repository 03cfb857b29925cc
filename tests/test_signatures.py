"""Names, order and defaults of arguments are those of PyTorch 2.13: constructors of modules and optimisers,
functions, methods of Tensor.  What is left out, and what is added, stands here."""

import inspect
import re
import typing

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import close, draw, theirs

#: Arguments of PyTorch that no signature of ours has.  Where one of them stands before others, these can be
#: given by name only, so that no call of ours means something else in PyTorch.
LEFT_OUT = {
    "device",  # of modules, which .to() moves
    "dtype",
    "size_average",  # deprecated since PyTorch 1.0: reduction says it all
    "reduce",
    "_stacklevel",
    "foreach",  # how an optimiser's step is computed, not what
    "fused",
    "capturable",
    "differentiable",
}
#: ... and those that one of ours lacks.
LACKING = {
    "interpolate": {"antialias"},
    # A function leaves its input as it is; the modules accept inplace, and leave it as well.
    **{n: {"inplace"} for n in ("dropout", "dropout2d", "relu", "leaky_relu", "elu", "silu")},
}
#: Arguments that we add: by name only.
ADDED = {"dropout": {"generator"}, "dropout2d": {"generator"}}
NOT_COMPARED = {
    "Module": "takes any arguments in PyTorch, and passes them on",
    "Parameter": "PyTorch's may be made of nothing",
    "rnn": "the source text's operator, another one than torch.rnn",
    "gru": "as rnn",
    "lstm": "as rnn",
}
MODULES = [n for n in ms.nn.__all__ if inspect.isclass(getattr(ms.nn, n))]
OURS_ALONE = {
    "DiceLoss", "JaccardLoss", "TverskyLoss", "LovaszSoftmaxLoss", "FocalLoss",
    "convolve2d", "documented_convolution", "batch_norm_relu", "focal_loss", "dice_loss", "jaccard_loss",
    "tversky_loss", "lovasz_softmax", "soft_ncut_loss", "reconstruction_loss",
}  # fmt: skip


def signature_of(called):
    """PyTorch's signature, also of an overloaded constructor and of a function in C++ (its first line)."""
    if inspect.isclass(called):
        overloads = typing.get_overloads(called.__init__)
        if not overloads and "__init__" not in vars(called) and called.__mro__[1].__name__ == "Module":
            return inspect.signature(lambda: None)  # Module takes any arguments, and refuses them
        return inspect.signature(overloads[0] if overloads else called)
    declared = re.match(r"\w+\((.*)\)", (called.__doc__ or "").strip().split("\n")[0])
    return inspect.signature(eval(f"lambda {declared[1]}: None") if declared else called)


def arguments(signature, left_out):
    """(name, default, by name only) of each argument; those behind a left-out one count as by name only."""
    found, shifted = [], False
    for p in signature.parameters.values():
        if p.name == "self":
            continue
        if p.name in left_out:
            shifted = True
        else:
            found.append((p.name, p.default, shifted or p.kind is p.KEYWORD_ONLY, p.kind is p.VAR_POSITIONAL))
    return found


def compare(name, ours, torch_function):
    left_out = LEFT_OUT | LACKING.get(name, set())
    expected = arguments(signature_of(torch_function), left_out)
    added = ADDED.get(name, set())
    mine = arguments(inspect.signature(ours), set())
    assert all(only for n, _, only, _ in mine if n in added)
    assert [a for a in mine if a[0] not in added] == expected


@pytest.mark.parametrize("name", [n for n in MODULES if n not in NOT_COMPARED])
def test_modules(name):
    torch = theirs().modules[1]
    if name in OURS_ALONE:
        assert not hasattr(torch.nn, name)
    else:
        compare(name, getattr(ms.nn, name), getattr(torch.nn, name))


@pytest.mark.parametrize("name", [n for n in ms.functional.__all__ if n not in NOT_COMPARED])
def test_functions(name):
    functional = theirs().modules[0]
    if name in OURS_ALONE:
        assert not hasattr(functional, name)
    else:
        compare(name, getattr(ms.functional, name), getattr(functional, name))


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_optimizers(name):
    torch = theirs().modules[1]
    compare(name, getattr(ms.optim, name), getattr(torch.optim, name))


def test_modules_have_what_the_functions_have():
    """Every loss and layer of ours that PyTorch has too stands in nn, under PyTorch's name."""
    torch = theirs().modules[1]
    functions = {n.replace("_", "") for n in ms.functional.__all__} | {"batchnorm1d", "instancenorm1d"}
    functions |= {n + "2d" for n in ("batchnorm", "instancenorm")} | {n + "loss" for n in ("crossentropy",)}
    wanted = {n for n in dir(torch.nn) if n.lower() in functions and n != "Module"}
    assert wanted <= set(ms.nn.__all__)


#: Calls with every name that PyTorch gives to an argument of a method of Tensor.
CALLS = """
x.add(other=y, alpha=2)  x.sub(other=y, alpha=2)  x.mul(other=y)  x.div(other=y)  x.abs().pow(exponent=y)
x.remainder(other=y)  x.floor_divide(other=y)
x.maximum(other=y)  x.minimum(other=y)  x.max(dim=1, keepdim=True)  x.min(dim=1, keepdim=True)  x.max(y)
x.clamp(min=-0.5, max=0.5)  x.clamp(min=y)  x.clamp(min=y, max=y+1)  x.where(condition=y>0, other=0.0)
x.masked_fill(mask=y>0, value=1.0)  x.where(y>0,y)
x.sum(dim=1, keepdim=True)  x.sum(dim=(0,2))  x.mean(dim=1, keepdim=True)  x.amax(dim=(0,1), keepdim=True)
x.amin(dim=2)
x.var(dim=1, correction=0, keepdim=True)  x.std(dim=(0,1), correction=2)  x.var()  x.var(1,False)
x.std(correction=None)  x.logsumexp(dim=1, keepdim=True)  x.cumsum(dim=1)  x.argmax(dim=1, keepdim=True)
x.any(dim=1, keepdim=True)  x.all(dim=1)  x.softmax(dim=1)  x.log_softmax(dim=1)
x.reshape(shape=(6,-1))  x.reshape(6,-1)  x.reshape((6,-1))  x.view(6,-1)  x.flatten(start_dim=0, end_dim=1)
x.permute(dims=(2,0,1))  x.permute(2,0,1)  x.transpose(dim0=0, dim1=2)  x.unsqueeze(dim=1).squeeze(dim=1)
x.squeeze(dim=())  x[:,:1].expand(size=(2,3,4))  x[:,:1].expand(2,3,4)  x[:,:1].broadcast_to((2,3,4))
x.flip(dims=(0,2))  x.flip(0,2)  x.flip([1])  x.roll(shifts=(1,2), dims=(0,2))  x.roll(shifts=1)  x.roll(2,1)
x.split(split_size=2, dim=2)  x.split([1,2],1)  x.chunk(chunks=2, dim=1)  x[:0].chunk(2)
x.gather(dim=1, index=i)  x.index_select(dim=1, index=i[0,:,0])  x.matmul(y.transpose(1,2))
L.cat(tensors=(x,y), dim=1)  L.stack(tensors=(x,y), dim=1)  L.where(condition=y>0, input=x, other=y)
L.reshape(input=x, shape=(6,-1))  L.permute(input=x, dims=(2,0,1))  L.flip(input=x, dims=(1,))  L.roll(x, 1)
L.gather(input=x, dim=1, index=i)  L.index_select(input=x, dim=1, index=i[0,:,0])  L.clamp(input=x, max=y)
L.einsum("nij,nkj->nik", x, y)  L.matmul(input=x, other=y.transpose(1,2))  L.transpose(x, dim0=0, dim1=1)
"""


@pytest.mark.parametrize("call", [c.strip() for line in CALLS.splitlines() for c in line.split("  ") if c])
def test_methods(call):
    torch = theirs().modules[1]
    x, y = draw([(2, 3, 4), (2, 3, 4)], "float32")
    i = np.array([[[0, 1, 2, 0], [2, 1, 0, 0]]] * 2)
    results = [
        eval(call, {"L": library, "x": library.tensor(x), "y": library.tensor(y), "i": library.tensor(i)})
        for library in (ms, torch)
    ]
    found, expected = (list(r) if isinstance(r, tuple) else [r] for r in results)
    assert len(found) == len(expected)
    for f, e in zip(found, expected, strict=True):
        close(f.data, e.numpy())
