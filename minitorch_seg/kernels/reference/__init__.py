"""Reference kernels: each formula as plainly as it can be written, with NumPy alone.

They are the oracle of every faster kernel, and they compute everything where Numba is absent.
"""
