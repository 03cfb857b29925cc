"""Faster kernels: convolutions by register tiles and Winograd's algorithm, a whole recurrence in one kernel,
an optimiser's step in one pass.  Everything works, only slower, without this folder.
"""
