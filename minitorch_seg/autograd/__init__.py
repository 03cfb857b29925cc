"""The engine: tensors, recorded functions, the reverse pass, gradient checks.  It knows no operator."""

from minitorch_seg.autograd.backward import backward, grad
from minitorch_seg.autograd.checkpoint import checkpoint
from minitorch_seg.autograd.derivatives import hvp, jacobian, jvp, vjp
from minitorch_seg.autograd.dtypes import result_type
from minitorch_seg.autograd.finite_differences import GradcheckReport
from minitorch_seg.autograd.function import Function, Node
from minitorch_seg.autograd.generator import Generator, default_generator, manual_seed
from minitorch_seg.autograd.grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from minitorch_seg.autograd.gradcheck import gradcheck
from minitorch_seg.autograd.observe import detect_anomaly
from minitorch_seg.autograd.tensor import Tensor, tensor

__all__ = [
    "Function",
    "Generator",
    "GradcheckReport",
    "Node",
    "Tensor",
    "backward",
    "checkpoint",
    "default_generator",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "manual_seed",
    "no_grad",
    "result_type",
    "set_grad_enabled",
    "tensor",
    "vjp",
]
