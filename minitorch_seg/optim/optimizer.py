"""Optimizer: what all update rules have in common, with PyTorch's parameter groups and state_dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from minitorch_seg.autograd import Tensor, enable_grad
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import devices, dispatch

Move = tuple[np.ndarray, np.ndarray, dict[str, Any], dict[str, Any]]  # parameter, gradient, state, group


class Optimizer:
    """Base class: a subclass defines `update`, which changes one parameter in place.

    Args:
        params: tensors, or dictionaries {"params": tensors, "lr": …} with options of their own.
        defaults: the options of groups that do not say otherwise.

    >>> import minitorch_seg as ms
    >>> class Descent(ms.optim.Optimizer):
    ...     def update(self, parameter, gradient, state, group):
    ...         parameter -= group["lr"] * gradient
    >>> w = ms.tensor([1.0], requires_grad=True)
    >>> optimizer = Descent([w], {"lr": 0.25})
    >>> (w * w).sum().backward(); optimizer.step(); w.item()
    0.5
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}  # by the parameter's number
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: params is a tensor, expected several of them: pass [tensor]"
            )
        groups = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__} got no parameters: pass model.parameters()")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters with options of their own."""
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise TypeError(
                    f"{type(self).__name__} changes leaf tensors in place, found {type(p).__name__}"
                )
            if id(p) in known:
                raise ValueError(f"{type(self).__name__}: a parameter of shape {p.shape} is given twice")
            known.add(id(p))
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with set_to_none=False fill them with zeros instead."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None if set_to_none or p.grad is None else Tensor(np.zeros_like(p.grad.data))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient.

        Args:
            closure: called first, with operations recorded; it computes loss and gradients (zero_grad,
                forward, backward) and returns the loss, which step returns again.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        moves, number = [], 0
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    gradient = -p.grad.data if group.get("maximize") else p.grad.data
                    state = self.state.setdefault(number, {})
                    for name, value in state.items():  # the parameter may have been moved since the last step
                        if hasattr(value, "shape") and value.device != p.device:
                            state[name] = devices.move(value, p.device)
                    moves.append((p.data, np.asarray(gradient, p.data.dtype, like=p.data), state, group))
                    p.bump_version()
                number += 1
        self.update_all(moves)
        return loss

    def update(
        self, parameter: np.ndarray, gradient: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        raise NotImplementedError(f"{type(self).__name__} defines no update rule")

    def update_all(self, moves: list[Move]) -> None:
        """The update of every parameter that has a gradient."""
        for move in moves:
            self.update(*move)

    def state_dict(self) -> dict[str, Any]:
        """Everything to go on from: state by the parameter's number, and the groups' options."""
        groups, number = [], 0
        for group in self.param_groups:
            n = len(group["params"])
            groups.append(
                {
                    **{k: v for k, v in group.items() if k != "params"},
                    "params": list(range(number, number + n)),
                }
            )
            number += n
        state = {
            i: {k: np.array(devices.move(v, "cpu")) if hasattr(v, "shape") else v for k, v in s.items()}
            for i, s in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave.  Nothing is changed unless groups and shapes fit."""
        groups = state_dict["param_groups"]
        sizes, expected = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != expected:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: groups of {sizes} parameters, expected {expected}"
            )
        params = [p for group in self.param_groups for p in group["params"]]
        for i, entries in state_dict["state"].items():
            if not 0 <= int(i) < len(params):
                raise ValueError(
                    f"{type(self).__name__}.load_state_dict: state for parameter {i}, "
                    f"but there are {len(params)}"
                )
            for name, value in entries.items():
                shape = tuple(getattr(value, "shape", ()))  # () is a number, such as the count of steps
                if shape and shape != params[int(i)].shape:
                    raise ShapeError(
                        f"{type(self).__name__}.load_state_dict: {name} of parameter {i} has shape {shape}, "
                        f"expected {params[int(i)].shape}"
                    )
        for group, saved in zip(self.param_groups, groups, strict=True):
            group.update({k: v for k, v in saved.items() if k != "params"})
        self.state = {
            int(i): {
                k: devices.move(np.array(v), params[int(i)].device) if isinstance(v, np.ndarray) else v
                for k, v in s.items()
            }
            for i, s in state_dict["state"].items()
        }


class Elementwise(Optimizer):
    """Base class of rules that treat every number alike: a formula in NumPy, which anyone can read, and a
    kernel in kernels/fast that does the same for all parameters in one pass.
    """

    rule: ClassVar[str]  #: the kernel's name

    def prepare(
        self, parameter: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> tuple[tuple[np.ndarray | None, ...], tuple[float, ...]]:
        """(the state's arrays, the numbers of this step); at the first step the state is made."""
        raise NotImplementedError(f"{type(self).__name__} prepares no step")

    @staticmethod
    def formula(arrays: tuple[Any, ...], numbers: tuple[float, ...]) -> None:
        """Changes arrays = (parameter, gradient, *those of `prepare`) in place, but for the gradient."""
        raise NotImplementedError("a rule has a formula")

    def update(
        self, parameter: np.ndarray, gradient: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        self.update_all([(parameter, gradient, state, group)])

    def update_all(self, moves: list[Move]) -> None:
        jobs = []
        for parameter, gradient, state, group in moves:
            arrays, numbers = self.prepare(parameter, state, group)
            jobs.append(((parameter, gradient, *arrays), numbers))
        if fast := dispatch.fused(self.rule):
            jobs = getattr(fast, self.rule)(self, jobs)  # those that it could not do
        for arrays, numbers in jobs:
            if kernel := dispatch.fused_on_gpu(self.rule, *arrays):
                getattr(kernel, self.rule)(*arrays, *numbers)
            else:
                self.formula(arrays, numbers)


def check_options(name: str, **options: float) -> None:
    """Refuse negative learning rates and the like."""
    for option, value in options.items():
        if isinstance(value, bool) or not value >= 0:
            raise ValueError(f"{name}: {option} must be a number that is not negative, found {value}")


def check_betas(name: str, betas: tuple[float, float]) -> None:
    if len(betas) != 2 or not all(isinstance(b, float) and 0 <= b < 1 for b in betas):
        raise ValueError(f"{name}: betas are two floats in [0, 1), found {betas}")
