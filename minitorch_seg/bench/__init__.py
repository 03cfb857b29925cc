"""Benchmarks: our kernels beside PyTorch's, in one process and in turn.

`cases.py` says what is measured and `libraries.py` who takes part; `measure.py` checks results and takes the
times, `unet.py` does so for a whole training step; `machine.py` measures what the machine can do at most;
`process.py` gives every measurement a fresh process with pinned threads; `report.py` prints tables and
`charts.py` draws; `warm.py` compiles every kernel in advance.  `minitorch-seg bench` is the command,
benchmarks/ in the repository runs all of it.
"""
