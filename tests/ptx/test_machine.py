"""Control flow: threads that part and meet, loops, calls, warps, barriers; and what is refused."""

import numpy as np
import pytest

from tests.ptx.faults import KernelFault, UnknownPTX
from tests.ptx.parse import parse
from tests.ptx.run import LANES, Uninitialised, run
from tests.ptx.snippets import HEADER, kernel, launch

STORE = "mul.wide.s32 %rd9, %r0, 4; add.s64 %rd9, %rd1, %rd9; st.global.u32 [%rd9], %r9; ret;"


def results(body: str, threads: int = 64, blocks: int = 1, variables: str = "", **options) -> np.ndarray:
    """What each thread leaves in %r9."""
    out = np.zeros(threads * blocks, np.uint32)
    launch(body + STORE, blocks, threads, Uninitialised(out), variables=variables, **options)
    return out


def test_threads_part_and_meet():
    body = """
        and.b32 %r3, %r0, 3; mov.u32 %r9, 0;
        setp.eq.s32 %p1, %r3, 1; @%p1 bra $one;
        setp.gt.s32 %p2, %r3, 1; @%p2 bra $many;
        add.s32 %r9, %r9, 100; bra.uni $end;
    $one: add.s32 %r9, %r9, 10; bra.uni $end;
    $many: add.s32 %r9, %r9, 20; @!%p1 add.s32 %r9, %r9, 1;
    $end: add.s32 %r9, %r9, 1000;
    """
    np.testing.assert_array_equal(results(body), [{0: 1100, 1: 1010}.get(i % 4, 1021) for i in range(64)])


def test_threads_that_parted_shuffle_together_again():
    body = """
        and.b32 %r3, %r0, 1; setp.eq.s32 %p1, %r3, 1; @%p1 bra $odd;
        add.s32 %r9, %r0, 100; bra.uni $end;
    $odd: add.s32 %r9, %r0, 200; bra.uni $end;
    $end: shfl.sync.bfly.b32 %r9, %r9, 1, 31, -1;
    """
    np.testing.assert_array_equal(results(body), [(i ^ 1) + (200 if (i ^ 1) % 2 else 100) for i in range(64)])


def test_threads_that_do_not_divide_may_hold_a_zero():
    body = "sub.s32 %r3, %r0, 3; setp.ne.s32 %p1, %r3, 0; mov.u32 %r9, 77; @%p1 div.s32 %r9, %r0, %r3;"
    expected = [77 if i == 3 else int(i / (i - 3)) % 2**32 for i in range(64)]
    np.testing.assert_array_equal(results(body), expected)


def test_loops_of_unequal_length():
    """Each thread adds the numbers below its own; the slow ones go on alone."""
    body = """
        mov.u32 %r9, 0; mov.u32 %r3, 0; setp.eq.s32 %p1, %r0, 0; @%p1 bra $end;
    $loop: add.s32 %r9, %r9, %r3; add.s32 %r3, %r3, 1; setp.lt.u32 %p2, %r3, %r0; @%p2 bra $loop;
    $end:
    """
    np.testing.assert_array_equal(results(body), [i * (i - 1) // 2 for i in range(64)])


def test_blocks_run_in_waves():
    body = "add.s32 %r9, %r0, 1;"
    blocks = 3 * LANES // 256 + 1
    np.testing.assert_array_equal(results(body, 256, blocks), np.arange(1, 256 * blocks + 1))
    np.testing.assert_array_equal(results(body, 256, 5, lanes=256), np.arange(1, 1281))


def test_calls_are_the_body_of_the_function():
    function = """
    .func (.param .b32 back) triangle(.param .b32 given)
    { .reg .b32 %r<9>; .reg .pred %p<3>; ld.param.u32 %r1, [given]; mov.u32 %r2, 0;
      setp.eq.s32 %p1, %r1, 0; @%p1 bra $done;
    $loop: add.s32 %r2, %r2, %r1; sub.s32 %r1, %r1, 1; setp.ne.s32 %p2, %r1, 0; @%p2 bra $loop;
    $done: st.param.b32 [back], %r2; ret; }
    """
    call = """{{ .param .b32 a0; st.param.b32 [a0], {0}; .param .b32 b0;
        call.uni (b0), triangle, (a0); ld.param.b32 {1}, [b0]; }}"""
    body = call.format("%r0", "%r9") + call.format("%r9", "%r9")

    def triangle(n):
        return n * (n + 1) // 2

    np.testing.assert_array_equal(
        results(body, variables=function), [triangle(triangle(i)) for i in range(64)]
    )


def test_inner_scopes_have_registers_of_their_own():
    body = """mov.u32 %r9, 7;
        { .reg .b32 %r9; mov.u32 %r9, 1; { .reg .b32 t; add.u32 t, %r9, 2; } }"""
    np.testing.assert_array_equal(results(body), 7)


def test_local_memory_is_each_threads_own():
    body = """.local .align 8 .b8 here[16]; .reg .b64 %SP;
        mov.u64 %SP, here; cvta.local.u64 %rd5, %SP; st.local.u32 [%SP+4], %r0; ld.u32 %r9, [%rd5+4];"""
    np.testing.assert_array_equal(results(body, 64, 3), np.arange(192))


def test_constants_of_the_text():
    table = ".const .align 4 .b8 table[16] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 0, 0, 255};"
    body = """and.b32 %r3, %r0, 3; mul.wide.s32 %rd5, %r3, 4; mov.u64 %rd6, table;
        add.s64 %rd5, %rd5, %rd6; ld.const.u32 %r9, [%rd5];"""
    np.testing.assert_array_equal(results(body, variables=table), np.resize([1, 2, 259, 255], 64))


def test_vectors_of_words():
    x, y = np.arange(256, dtype=np.float32), np.zeros(256, np.float32)
    body = """mul.wide.s32 %rd9, %r0, 16; add.s64 %rd5, %rd1, %rd9; add.s64 %rd6, %rd2, %rd9;
        ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd5]; st.global.v2.f32 [%rd6+8], {%f2, %f1};
        st.global.v2.f32 [%rd6], {%f4, %f3}; ret;"""
    launch(body, 2, 32, x, Uninitialised(y))
    np.testing.assert_array_equal(y, x.reshape(-1, 4)[:, ::-1].reshape(-1))


@pytest.mark.parametrize(
    ("name", "start"), [("add", 0), ("max", 0), ("min", 99), ("exch", 0), ("inc", 0), ("dec", 3)]
)
def test_atomic_operations_take_one_thread_after_the_other(name, start):
    out, old = np.array([start, 77], np.uint32), np.zeros(64, np.uint32)
    body = f"""add.s32 %r3, %r0, 5; atom.global.{name}.u32 %r4, [%rd1], %r3;
        mul.wide.s32 %rd9, %r0, 4; add.s64 %rd9, %rd2, %rd9; st.global.u32 [%rd9], %r4; ret;"""
    body = body.replace("exch.u32", "exch.b32")
    launch(body, 1, 64, out, Uninitialised(old))
    value, seen = start, []
    for operand in range(5, 69):
        seen.append(value)
        value = {
            "add": value + operand,
            "max": max(value, operand),
            "min": min(value, operand),
            "exch": operand,
            "inc": 0 if value >= operand else value + 1,
            "dec": operand if value == 0 or value > operand else value - 1,
        }[name]
    np.testing.assert_array_equal(old, seen)
    assert out.tolist() == [value, 77]


def test_compare_and_swap():
    out, old = np.zeros(1, np.uint32), np.zeros(64, np.uint32)
    body = """add.s32 %r3, %r0, 1; atom.global.cas.b32 %r4, [%rd1], %r0, %r3;
        mul.wide.s32 %rd9, %r0, 4; add.s64 %rd9, %rd2, %rd9; st.global.u32 [%rd9], %r4; ret;"""
    launch(body, 1, 64, out, Uninitialised(old))
    assert out[0] == 64
    np.testing.assert_array_equal(old, np.arange(64))


def test_atomic_sums_of_floats_round_each_time():
    out = np.array([2.0**24], np.float32)
    launch("red.global.add.f32 [%rd1], 0f3F800000; ret;", 1, 64, out)
    assert out[0] == 2.0**24  # 2^24 + 1 is 2^24 in float32


@pytest.mark.parametrize("how", ["up", "down", "bfly", "idx"])
@pytest.mark.parametrize(("width", "distance"), [(32, 1), (32, 5), (8, 3)])
def test_shuffles(how, width, distance):
    clamp = (32 - width) << 8 | (0 if how == "up" else 31)
    body = f"shfl.sync.{how}.b32 %r9|%p1, %r0, {distance}, {clamp}, -1; @!%p1 add.s32 %r9, %r9, 1000;"
    found = results(body, 64)
    for thread in range(64):
        lane, first = thread % 32, thread % 32 // width * width
        source = {
            "up": lane - distance,
            "down": lane + distance,
            "bfly": lane ^ distance,
            "idx": first + distance,
        }[how]
        inside = first <= source < first + width
        assert found[thread] == (thread - lane + source if inside else thread + 1000)


def test_votes():
    text = "setp.gt.u32 %p1, %r0, 40; vote.sync.{} {}, %p1, -1;"
    above = np.arange(64) > 40
    ballot = results(text.format("ballot.b32", "%r9"))
    assert [int(v) for v in ballot[[0, 63]]] == [0, sum(1 << i for i in range(32) if above[32 + i])]
    for name, expected in {"all": [0, 0], "any": [0, 1], "uni": [1, 0]}.items():
        found = results(text.format(f"{name}.pred", "%p2") + "selp.u32 %r9, 1, 0, %p2;")
        assert found[[0, 63]].tolist() == expected
    assert results("activemask.b32 %r9;", 40)[[0, 39]].tolist() == [2**32 - 1, 255]


def test_shuffles_need_their_partners():
    body = "setp.lt.u32 %p1, %r0, 5; mov.u32 %r9, 0; @%p1 shfl.sync.down.b32 %r9, %r0, 1, 31, -1;"
    with pytest.raises(KernelFault, match=r"warp: .*thread \(0, 0, 0\).* waits for lane 5"):
        results(body)
    body = "setp.lt.u32 %p1, %r0, 4; mov.u32 %r9, 0; @%p1 shfl.sync.down.b32 %r9, %r0, 1, 31, 15;"
    with pytest.raises(KernelFault, match=r"thread \(3, 0, 0\).* reads lane 4 of its warp"):
        results(body)


def test_barriers_that_count():
    text = "setp.lt.u32 %p1, %r29, 10; bar.red.{}, 0, %p1;"
    assert set(results(text.format("popc.u32 %r9"), 64, 3).tolist()) == {10}
    for name, expected in {"and": 0, "or": 1}.items():
        found = results(text.format(f"{name}.pred %p2") + "selp.u32 %r9, 1, 0, %p2;", 64, 3)
        assert set(found.tolist()) == {expected}


def test_a_barrier_orders_what_a_block_does():
    shared = ".visible .shared .align 4 .b8 tile[256];"
    body = """mov.u64 %rd5, tile; mul.wide.u32 %rd6, %r29, 4; add.s64 %rd7, %rd5, %rd6;
        st.shared.u32 [%rd7], %r0; bar.sync 0; xor.b32 %r3, %r29, 1; mul.wide.u32 %rd6, %r3, 4;
        add.s64 %rd7, %rd5, %rd6; ld.shared.u32 %r9, [%rd7];"""
    np.testing.assert_array_equal(results(body, 64, 3, variables=shared), np.arange(192) ^ 1)
    with pytest.raises(KernelFault, match="race"):
        results(body.replace("bar.sync 0;", ""), 64, 3, variables=shared)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (
            "setp.eq.u32 %p1, %r0, 5; @%p1 ret; bar.sync 0; mov.u32 %r9, 0;",
            "barrier",
            "thread (5, 0, 0), which has ended",
        ),
        (
            "setp.eq.u32 %p1, %r0, 5; @%p1 bra $skip; bar.sync 0; $skip: mov.u32 %r9, 0;",
            "barrier",
            "which has ended",
        ),
        (
            "setp.eq.u32 %p1, %r0, 5; @%p1 bra $b; bar.sync 0; bra.uni $c; $b: bar.sync 0; $c:",
            "barrier",
            "thread (5, 0, 0) at line",
        ),
        ("$again: bra.uni $again;", "does not end", "after 5000 instructions"),
        ("trap; mov.u32 %r9, 0;", "trap", "stops the kernel"),
        ("sub.s32 %r3, %r0, 3; div.s32 %r9, %r0, %r3;", "division by zero", "thread (3, 0, 0)"),
        ("st.const.u32 [table], %r0; mov.u32 %r9, 0;", "read only", "table"),
    ],
)
def test_faults_name_the_kernel_the_thread_and_the_line(body, kind, words):
    with pytest.raises(KernelFault) as caught:
        results(body, variables=".const .align 4 .b8 table[4] = {1, 2, 3, 4};", limit=5000)
    assert caught.value.kind == kind
    message = str(caught.value)
    assert words in message and "kernel snippet, thread (" in message and "of block (0, 0, 0)" in message
    assert " at line " in message and "`" in message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("frobnicate.u32 %r9, %r0;", "frobnicate.u32 is not understood"),
        ("add.f16 %h1, %h2, %h3; mov.u32 %r9, 0;", "add.f16 is not understood"),
        ("add.wrong.u32 %r9, %r0, 1;", "add.wrong.u32 is not understood"),
        ("ld.global.L1::evict_first.u32 %r9, [%rd1];", "is not understood"),
        ("mov.u32 %r9, %clock;", "no special register"),
        ("mov.u32 %r9, %r25;", "no instruction has written it"),
        ("mov.u32 %r9, nothing;", "no variable"),
        ("bar.sync 0, 32; mov.u32 %r9, 0;", "a barrier that is not understood"),
        ("add.u32 %r9, %r0;", "operands expected"),
        ("ex2.approx.f64 %fd1, %fd2; mov.u32 %r9, 0;", "not understood"),
        ("add.u64 %r9, %r0, %r0;", "is read as"),
        ("call.uni (%r9), elsewhere, (%r0);", "holds no body"),
    ],
)
def test_what_is_not_understood_is_an_error(body, words):
    with pytest.raises(UnknownPTX, match=words):
        results(body)


def test_the_text_is_checked_as_well():
    with pytest.raises(UnknownPTX, match="one kernel"):
        parse(HEADER).kernel()
    with pytest.raises(UnknownPTX, match="not understood"):
        parse(HEADER + ".global .texref image;")
    x = np.zeros(4, np.float32)
    with pytest.raises(ValueError, match="takes 1 words, found 7"):
        run(kernel("ret;", 1), 1, 32, [x])
    with pytest.raises(ValueError, match="a block of 2048 threads"):
        run(kernel("ret;", 1), 1, 2048, [np.int64(0)])
    with pytest.raises(ValueError, match="8 bytes"):
        run(kernel("ret;", 1), 1, 32, [np.int32(0)])
