"""Small kernels with shared tiles, halos, barriers and atomics: what the interpreter is tried on.

They are written for clarity, not for speed. Comments that test_samples.py refers to mark the lines in which
it plants mistakes.
"""

from numba import cuda, float32, int32

TILE = 8
HALO = TILE + 2
THREADS = 64


def convolution(x, w, y):
    """y[o] = Σ_c x[c] ⋆ w[o, c], 3×3, padding 1; a block makes 8×8 pixels of one output channel."""
    tile = cuda.shared.array((HALO, HALO), float32)
    channels, height, width = x.shape
    row, column, o = cuda.blockIdx.y * TILE, cuda.blockIdx.x * TILE, cuda.blockIdx.z
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    total = float32(0)
    for c in range(channels):
        for i in range(ty * TILE + tx, HALO * HALO, THREADS):
            r, q = i // HALO, i % HALO
            inside = 0 < row + r <= height and 0 < column + q <= width  # of the image
            tile[r, q] = x[c, row + r - 1, column + q - 1] if inside else float32(0)
        cuda.syncthreads()  # the tile is whole
        for i in range(3):
            for j in range(3):
                total += tile[ty + i, tx + j] * w[o, c, i, j]
        cuda.syncthreads()  # nobody reads the tile any more
    if row + ty < height and column + tx < width:  # of the result
        y[o, row + ty, column + tx] = total


def product(a, b, y):
    """y = a·b; a block makes 8×8 numbers, step by step from tiles of both matrices."""
    left = cuda.shared.array((TILE, TILE), float32)
    right = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    row, column = cuda.blockIdx.y * TILE + ty, cuda.blockIdx.x * TILE + tx
    rows, terms, columns = a.shape[0], a.shape[1], b.shape[1]
    total = float32(0)
    for k in range(0, terms, TILE):
        left[ty, tx] = a[row, k + tx] if row < rows and k + tx < terms else float32(0)
        right[ty, tx] = b[k + ty, column] if k + ty < terms and column < columns else float32(0)
        cuda.syncthreads()  # the tiles are whole
        for i in range(TILE):
            total += left[ty, i] * right[i, tx]
        cuda.syncthreads()  # nobody reads the tiles any more
    if row < rows and column < columns:
        y[row, column] = total


def sums(x, y):
    """y[block] = the sum of the block's rows of x, by a tree in shared memory."""
    partial = cuda.shared.array(THREADS, float32)
    thread = cuda.threadIdx.x
    total = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total += x[i]
    partial[thread] = total
    cuda.syncthreads()  # all partial sums are there
    half = THREADS // 2
    while half > 0:
        if thread < half:
            partial[thread] += partial[thread + half]
        cuda.syncthreads()  # after each level
        half //= 2
    if thread == 0:
        y[cuda.blockIdx.x] = partial[0]


def pooling(x, y, places):
    """The maximum of each 2×2 window and where it is, the first where several are equal."""
    row, column = cuda.grid(2)
    if row < y.shape[0] and column < y.shape[1]:  # of the result
        best, place = x[2 * row, 2 * column], int32(0)
        for i in range(1, 4):
            value = x[2 * row + i // 2, 2 * column + i % 2]
            if value > best:
                best, place = value, int32(i)
        y[row, column] = best
        places[row, column] = place


def histogram(x, counts):
    """counts[v] += 1 for each v of x."""
    i = cuda.grid(1)
    if i < x.size:  # of the values
        cuda.atomic.add(counts, x[i], 1)


def moduli(x, y):
    """|x|² of complex numbers, each of which is read as a vector of two."""
    i = cuda.grid(1)
    if i < x.size:
        y[i] = x[i].real * x[i].real + x[i].imag * x[i].imag
