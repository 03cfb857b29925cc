"""CPU kernels: the functions of `kernels/reference` as Numba loops over channels-last arrays."""
