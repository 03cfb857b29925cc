"""What accesses are checked for: bounds, alignment, memory that was never written, races."""

import numpy as np
import pytest

from tests.ptx import races
from tests.ptx.faults import KernelFault
from tests.ptx.run import Uninitialised
from tests.ptx.snippets import launch

TILE = ".visible .shared .align 4 .b8 tile[256]; .visible .shared .align 4 .b8 after[256];"
ADDRESS = "mul.wide.s32 %rd9, %r0, 4; add.s64 %rd5, %rd1, %rd9; "
SHARED = "mov.u64 %rd8, tile; mul.wide.u32 %rd9, %r29, 4; add.s64 %rd7, %rd8, %rd9; "


def fault(body: str, *arrays, threads: int = 32, blocks: int = 1) -> KernelFault:
    with pytest.raises(KernelFault) as caught:
        launch(body + "ret;", blocks, threads, *arrays, variables=TILE)
    return caught.value


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        ("+4", "thread (31, 0, 0) of block (0, 0, 0) reads 4 bytes at byte 128 of a, which has 128 bytes"),
        ("-4", "thread (0, 0, 0) of block (0, 0, 0) reads 4 bytes at byte -4 of a, which has 128 bytes"),
        ("+400000", "at byte 400000 of a"),
    ],
)
def test_global_arrays_have_bounds(offset, words):
    found = fault(
        ADDRESS + f"ld.global.f32 %f1, [%rd5{offset}];", np.zeros(32, np.float32), np.zeros(400, np.float32)
    )
    assert found.kind == "out of bounds" and words in str(found) and "`ld.global.f32 %f1" in str(found)


def test_an_access_is_inside_whole_or_not_at_all():
    x = np.zeros(33, np.uint8)
    assert "reads 4 bytes at byte 32 of a" in str(fault("ld.global.u32 %r3, [%rd1+32];", x))
    launch("ld.global.u8 %h1, [%rd1+32]; ret;", 1, 32, x)


def test_writes_have_bounds_and_leave_the_neighbours_alone():
    x, y = np.zeros(32, np.float32), np.ones(32, np.float32)
    found = fault(ADDRESS + "mov.f32 %f1, 0f00000000; st.global.f32 [%rd5+4], %f1;", x, y)
    assert found.kind == "out of bounds" and "writes 4 bytes" in str(found)
    assert "no global memory" in str(fault("mov.u64 %rd5, 64; ld.global.u32 %r3, [%rd5];", x))


def test_each_shared_array_has_bounds_of_its_own():
    found = fault(SHARED + "st.shared.u32 [%rd7+256], %r0;")
    assert found.kind == "out of bounds" and "byte 256 of tile, which has 256 bytes" in str(found)


def test_lanes_that_do_not_take_part_may_point_anywhere():
    x, y = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    body = (
        ADDRESS
        + """setp.lt.u32 %p1, %r0, 8; add.s64 %rd6, %rd2, %rd9; @%p1 ld.global.f32 %f1, [%rd5];
        @%p1 st.global.f32 [%rd6], %f1; ret;"""
    )
    launch(body, 1, 32, x, Uninitialised(y))
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (ADDRESS + "ld.global.v2.f32 {%f1, %f2}, [%rd5];", "accesses 8 bytes at byte 4 of a"),
        (ADDRESS + "ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd5];", "accesses 16 bytes at byte 4 of a"),
        ("ld.global.u32 %r3, [%rd1+2];", "accesses 4 bytes at byte 2 of a"),
        ("ld.global.u64 %rd3, [%rd1+4];", "accesses 8 bytes at byte 4 of a"),
        (
            SHARED + "mov.f32 %f1, 0f00000000; st.shared.v4.f32 [%rd8], {%f1, %f1, %f1, %f1};",
            "16 bytes at byte 0 of tile",
        ),
    ],
)
def test_alignment(body, words):
    """A shared array that is declared with an alignment of 4 has no better one."""
    found = fault(body, np.zeros(64, np.float32))
    assert found.kind == "misaligned" and words in str(found)


def test_narrow_loads_and_stores_of_wide_registers():
    """A load extends as its type says, a store takes the low bits."""
    x, y = np.array([-2, 200, 127, -128], np.int16), np.zeros((3, 4), np.int64)
    body = """setp.gt.u32 %p1, %r0, 3; @%p1 ret; mul.wide.s32 %rd9, %r0, 2; add.s64 %rd5, %rd1, %rd9;
        mul.wide.s32 %rd9, %r0, 8; add.s64 %rd6, %rd2, %rd9;
        ld.global.s16 %rd7, [%rd5]; st.global.u64 [%rd6], %rd7; ld.global.u16 %rd7, [%rd5];
        st.global.u64 [%rd6+32], %rd7; ld.global.s8 %r7, [%rd5]; st.global.s32 [%rd6+64], %r7;
        shr.s32 %r7, %r7, 31; st.global.u8 [%rd6+68], %r7; ret;"""
    launch(body, 1, 32, x, y)
    low = x.astype(np.int8).astype(np.int64)
    last = (low & 0xFFFFFFFF) | ((low < 0) * 255 << 32)
    np.testing.assert_array_equal(y, [x, x.astype(np.uint16), last])


def test_reading_what_nobody_wrote():
    found = fault(SHARED + "ld.shared.u32 %r3, [%rd7];")
    assert found.kind == "uninitialised" and "byte 0 of tile, which was never written" in str(found)
    body = (
        SHARED
        + "setp.ne.u32 %p1, %r0, 5; @%p1 st.shared.u32 [%rd7], %r0; bar.sync 0; ld.shared.u32 %r3, [%rd7];"
    )
    assert "thread (5, 0, 0) of block (0, 0, 0) reads byte 20 of tile" in str(fault(body))
    local = """.local .align 4 .b8 mine[8]; mov.u64 %rd5, mine;
        st.local.u32 [%rd5], %r0; ld.local.u32 %r3, [%rd5+4];"""
    assert "byte 4 of mine" in str(fault(local))
    found = fault(ADDRESS + "ld.global.f32 %f1, [%rd5];", Uninitialised(np.zeros(32, np.float32)))
    assert found.kind == "uninitialised" and "byte 0 of a" in str(found)


def test_shared_memory_is_new_in_each_block():
    body = SHARED + "setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [%rd7], %r0; ld.shared.u32 %r3, [%rd7];"
    assert "of block (1, 0, 0) reads byte 0 of tile" in str(fault(body, blocks=2))


# One thread a word of the tile, or all at its first word; %p1: the block's first thread, %p2: the grid's.
FIRST = "setp.eq.u32 %p1, %r29, 0; setp.eq.u32 %p2, %r0, 0; mov.u32 %r3, 1; mov.u16 %h1, 1;"
OTHER = "xor.b32 %r5, %r29, 1; mul.wide.u32 %rd9, %r5, 4; add.s64 %rd6, %rd8, %rd9;"
BYTE = "cvt.u64.u32 %rd6, %r29; add.s64 %rd7, %rd8, %rd6; st.shared.u8 [%rd7], %h1;"

RACES = {
    "one writes what another reads": f"st.shared.u32 [%rd7], %r0; {OTHER} ld.shared.u32 %r4, [%rd6];",
    "two write in one step": "st.shared.u32 [%rd8], %r0;",
    "two write the same": "st.shared.u32 [%rd8], %r3;",
    "all read and one writes": """@%p1 st.shared.u32 [%rd8], %r0; bar.sync 0;
        ld.shared.u32 %r3, [%rd8]; @%p1 st.shared.u32 [%rd8], %r3;""",
    "an atomic and a plain one": """@%p1 st.shared.u32 [%rd8], %r3; bar.sync 0;
        atom.shared.add.u32 %r4, [%rd8], 1; ld.shared.u32 %r4, [%rd8];""",
    "bytes of one word": BYTE + "@%p1 ld.shared.u32 %r3, [%rd8];",
    "global: two blocks write": "@%p1 st.global.u32 [%rd1], %r0;",
    "global: a block reads what another wrote": """@%p2 st.global.u32 [%rd1], %r3;
        bar.sync 0; setp.eq.u32 %p3, %r0, 32; @%p3 ld.global.u32 %r4, [%rd1];""",
    "global: one writes what several blocks read": """ld.global.u32 %r4, [%rd1];
        bar.sync 0; @%p2 st.global.u32 [%rd1], %r0;""",
    "global: a sum that is not atomic": """ld.global.u32 %r4, [%rd1]; add.s32 %r4, %r4, 1;
        st.global.u32 [%rd1], %r4;""",
}

NO_RACES = {
    "each its own": "st.shared.u32 [%rd7], %r0; ld.shared.u32 %r3, [%rd7]; st.shared.u32 [%rd7], %r3;",
    "a barrier between": f"st.shared.u32 [%rd7], %r0; bar.sync 0; {OTHER} ld.shared.u32 %r4, [%rd6];",
    "barriers on both sides": """@%p1 st.shared.u32 [%rd8], %r0; bar.sync 0;
        setp.eq.u32 %p3, %r29, 1; @%p3 st.shared.u32 [%rd8], %r0; bar.sync 0; ld.shared.u32 %r3, [%rd8];""",
    "atomics among themselves": """atom.global.add.u32 %r4, [%rd1], 1; bar.sync 0;
        red.global.max.u32 [%rd1], %r0;""",
    "a volatile look at an atomic": "atom.global.add.u32 %r4, [%rd1], 1; ld.volatile.global.u32 %r3, [%rd1];",
    "all read": "ld.global.u32 %r3, [%rd1]; bar.sync 0; ld.global.u32 %r3, [%rd1];",
    "neighbouring bytes": BYTE,
    "global: a block's own part": """mul.wide.s32 %rd9, %r1, 4; add.s64 %rd5, %rd1, %rd9;
        @%p1 st.global.u32 [%rd5], %r0; bar.sync 0; ld.global.u32 %r3, [%rd5]; bar.sync 0;
        setp.eq.u32 %p3, %r29, 1; @%p3 st.global.u32 [%rd5], %r0;""",
}


@pytest.mark.parametrize("title", RACES)
def test_races_are_found(title):
    blocks = 2 if title.startswith("global") else 1
    found = fault(SHARED + FIRST + RACES[title], np.zeros(32, np.uint32), blocks=blocks)
    assert found.kind == "race"
    assert "and nothing orders the two" in str(found) and str(found).count(" at line ") == 2


@pytest.mark.parametrize("title", RACES)
def test_races_between_blocks_are_found_across_waves(title):
    if title.startswith("global"):
        with pytest.raises(KernelFault, match="race"):
            launch(
                SHARED + FIRST + RACES[title] + "ret;",
                2,
                32,
                np.zeros(32, np.uint32),
                variables=TILE,
                lanes=32,
            )


@pytest.mark.parametrize("title", NO_RACES)
def test_order_is_no_race(title):
    launch(SHARED + FIRST + NO_RACES[title] + "ret;", 2, 32, np.zeros(32, np.uint32), variables=TILE)


def test_the_rule_itself_against_every_pair_of_accesses():
    """Random accesses, step by step, against the definition applied to all pairs."""
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(400):
        touches, log, found, expected, epoch = races.Touches(4), [], False, False, 0
        for _ in range(rng.integers(1, 7)):
            epoch += int(rng.integers(0, 3) == 0)
            how = str(rng.choice(["read", "read", "write", "atomic"]))
            lanes = rng.permutation(8)[: rng.integers(1, 5)]  # two blocks of four threads
            places = rng.integers(0, 4, len(lanes))
            now = [(how, int(p), int(n) // 4, int(n) % 4, epoch) for n, p in zip(lanes, places, strict=True)]
            log += now
            stamp = races.stamps(lanes // 4, epoch, lanes % 4)
            try:
                getattr(touches, how)(places[None, :], stamp)
            except races.Race:
                found = True
            expected = any(conflict(a, b) for i, a in enumerate(log) for b in log[:i])
            assert found == expected, log
            if found:
                break
        verdicts.append(expected)
    assert 50 < sum(verdicts) < 350


def conflict(a, b) -> bool:
    (how, place, block, thread, epoch), (how2, place2, block2, thread2, epoch2) = a, b
    if place != place2 or (block, thread) == (block2, thread2) or {how, how2} in ({"read"}, {"atomic"}):
        return False
    return block != block2 or epoch == epoch2
