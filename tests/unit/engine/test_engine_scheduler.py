"""The scheduler on a model that is arithmetic: rows are never mixed up, whatever joins, leaves, fails or repeats."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from craton.engine.backend import AdapterUnsupported, Busy, Delta, Generation, ModelSpec, Sampling, Unavailable
from craton.engine.rows import PIECE_TOKENS
from craton.engine.rows_backend import RowsBackend
from craton.engine.scheduler import FILL_S, shared
from craton.engine.tokenizer import Tokenizer
from tests.unit.engine.fake_rows import TINY, FakeRows, following


def expected(prompt: list[int], count: int, vocabulary: int) -> list[int]:
    history = list(prompt)
    for _ in range(count):
        history.append(following(history, vocabulary))
    return history[len(prompt) :]


def serving(rows: FakeRows, body: Callable[[RowsBackend], Awaitable[None]], max_waiting: int = 64) -> None:
    async def run() -> None:
        tokenizer = Tokenizer(TINY / "tokenizer.json", [0])
        backend = RowsBackend(asyncio.get_running_loop(), tokenizer, frozenset([0]))
        backend.serve(rows, ModelSpec(TINY, 1, rows.capacity, max_waiting))
        try:
            await asyncio.wait_for(body(backend), 30)
        finally:
            rows.gate.set()
            backend.close()

    asyncio.run(run())


async def collect(backend: RowsBackend, generation: Generation) -> tuple[list[int], Delta]:
    tokens: list[int] = []
    async for delta in await backend.submit(generation):
        tokens += delta.tokens
    return tokens, delta


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


def test_requests_at_random_moments_each_get_their_own_answer() -> None:
    """Forty requests of mixed lengths through four rows give what each gives alone."""
    rows = FakeRows()
    draw = random.Random(1)

    async def one(backend: RowsBackend) -> None:
        await asyncio.sleep(draw.random() * 0.1)
        prompt = [draw.randrange(1, 50) for _ in range(draw.choice([1, 5, 40, 200]))]
        count = draw.randrange(1, 30)
        tokens, last = await collect(backend, Generation(prompt, count))
        assert tokens == expected(prompt, count, 50)
        assert last.finish == "length"

    async def body(backend: RowsBackend) -> None:
        await asyncio.gather(*(one(backend) for _ in range(40)))
        assert backend.stats().running == 0

    serving(rows, body)
    assert max(rows.widths) == 4


def test_cancelled_requests_leave_the_others_whole() -> None:
    """Requests that are dropped in the middle do not disturb the rows beside them."""
    rows = FakeRows(step_s=0.001)
    draw = random.Random(2)

    async def leaver(backend: RowsBackend) -> None:
        stream = await backend.submit(Generation([draw.randrange(1, 50)], 200))
        async for _ in stream:
            if draw.random() < 0.2:
                break
        stream.cancel()

    async def stayer(backend: RowsBackend) -> None:
        prompt = [draw.randrange(1, 50) for _ in range(30)]
        tokens, _ = await collect(backend, Generation(prompt, 25))
        assert tokens == expected(prompt, 25, 50)

    async def body(backend: RowsBackend) -> None:
        await asyncio.gather(*(leaver(backend) if at % 2 else stayer(backend) for at in range(24)))

    serving(rows, body)


def test_a_cancelled_request_stops_within_a_step() -> None:
    """After its reader left, a request is computed no further than the step that was running."""
    rows = FakeRows(step_s=0.005)

    async def body(backend: RowsBackend) -> None:
        stream = await backend.submit(Generation([1], 250))
        await anext(aiter(stream))
        stream.cancel()
        steps = len(rows.widths)
        await until(lambda: backend.stats().running == 0)
        assert len(rows.widths) <= steps + 2

    serving(rows, body)


def test_a_request_joins_a_running_batch() -> None:
    """A late request gets its first token while an earlier one is still decoding."""
    rows = FakeRows(step_s=0.002)

    async def body(backend: RowsBackend) -> None:
        first = asyncio.create_task(collect(backend, Generation([1], 200)))
        await until(lambda: len(rows.widths) > 3)
        late = await backend.submit(Generation([2], 5))
        await anext(aiter(late))
        assert not first.done()
        late.cancel()
        await first

    serving(rows, body)
    assert 2 in rows.widths


def test_long_prompts_are_computed_in_pieces() -> None:
    """While a long prompt is computed, a running answer goes on between its pieces."""
    rows = FakeRows(context_tokens=4096, step_s=0.001, prefill_s=FILL_S * 1.1)

    async def body(backend: RowsBackend) -> None:
        running = await backend.submit(Generation([1], 300))
        await anext(aiter(running))
        steps = len(rows.widths)
        prompt = [3] * (PIECE_TOKENS * 4)
        tokens, _ = await collect(backend, Generation(prompt, 2))
        assert tokens == expected(prompt, 2, 50)
        assert len(rows.widths) - steps >= 3
        running.cancel()

    serving(rows, body)


def test_a_shared_beginning_is_not_computed_again() -> None:
    """The second of two prompts that begin alike computes its own end only, and says how much was cached."""
    rows = FakeRows()
    lead = [7, 8, 9] * 20

    async def body(backend: RowsBackend) -> None:
        await collect(backend, Generation([*lead, 1], 3))
        before = rows.prefilled
        prompt = [*lead, 2, 3]
        stream = await backend.submit(Generation(prompt, 4))
        tokens, cached = [], 0
        async for delta in stream:
            tokens += delta.tokens
            cached = max(cached, delta.cached_tokens)
        assert tokens == expected(prompt, 4, 50)
        assert (cached, rows.prefilled - before) == (60, 2)

    serving(rows, body)


def test_the_same_prompt_twice_computes_one_token() -> None:
    """A prompt that is wholly cached still computes its last token, whose logits are needed."""
    rows = FakeRows()
    prompt = list(range(1, 40))

    async def body(backend: RowsBackend) -> None:
        first, _ = await collect(backend, Generation(prompt, 5))
        before = rows.prefilled
        second, _ = await collect(backend, Generation(prompt, 5))
        assert first == second
        assert rows.prefilled - before == 1

    serving(rows, body)


def test_the_end_of_the_sequence_ends_the_answer() -> None:
    """The end token finishes with `stop` and is not among the tokens."""
    rows = FakeRows()
    rows.script[5] = [8, 9, 0]

    async def body(backend: RowsBackend) -> None:
        tokens, last = await collect(backend, Generation([5], 50))
        assert (tokens, last.finish) == ([8, 9], "stop")

    serving(rows, body)


def test_ignore_eos_decodes_on() -> None:
    """With `ignore_eos` the end token is a token like any other."""
    rows = FakeRows()
    rows.script[5] = [8, 0, 9]

    async def body(backend: RowsBackend) -> None:
        tokens, last = await collect(backend, Generation([5], 3, ignore_eos=True))
        assert (tokens, last.finish) == ([8, 0, 9], "length")

    serving(rows, body)


def test_the_context_is_never_exceeded() -> None:
    """An answer ends with `length` when the row is full, after as many tokens as fit."""
    rows = FakeRows(context_tokens=32)

    async def body(backend: RowsBackend) -> None:
        tokens, last = await collect(backend, Generation([1] * 30, 100))
        assert (len(tokens), last.finish) == (2, "length")

    serving(rows, body)


def test_a_full_queue_refuses() -> None:
    """More than the cap of waiting requests raises Busy, and places free up again."""
    rows = FakeRows(capacity=1)
    rows.gate.clear()

    async def body(backend: RowsBackend) -> None:
        streams = [await backend.submit(Generation([1], 2))]
        await until(lambda: backend.stats().waiting == 0)
        streams += [await backend.submit(Generation([at], 2)) for at in (2, 3)]
        with pytest.raises(Busy):
            await backend.submit(Generation([9], 2))
        rows.gate.set()
        for stream in streams:
            assert [delta async for delta in stream][-1].finish == "length"
        await collect(backend, Generation([9], 2))

    serving(rows, body, max_waiting=2)


def test_a_failing_step_ends_its_requests_and_not_the_server() -> None:
    """Requests of a failed step finish with `error`; the next one is served."""
    rows = FakeRows()

    async def body(backend: RowsBackend) -> None:
        rows.fail_next = 1
        _, last = await collect(backend, Generation([1], 5))
        assert last.finish == "error"
        tokens, _ = await collect(backend, Generation([1], 5))
        assert tokens == expected([1], 5, 50)
        assert backend.stats().state == "ready"

    serving(rows, body)


def test_a_runtime_that_keeps_failing_is_broken() -> None:
    """After three failed steps in a row the backend says so and takes no more."""
    rows = FakeRows()

    async def body(backend: RowsBackend) -> None:
        rows.fail_next = 3
        for _ in range(3):
            await collect(backend, Generation([1], 5))
        assert backend.stats().state == "broken"
        with pytest.raises(Unavailable):
            await backend.submit(Generation([1], 5))

    serving(rows, body)


def test_a_hanging_step_shows_in_the_statistics() -> None:
    """`step_s` grows while the runtime does not come back."""
    rows = FakeRows()
    rows.gate.clear()

    async def body(backend: RowsBackend) -> None:
        stream = await backend.submit(Generation([1], 5))
        await until(lambda: backend.stats().step_s > 0.02)
        rows.gate.set()
        assert [delta async for delta in stream][-1].finish == "length"
        await until(lambda: backend.stats().step_s == 0)

    serving(rows, body)


def test_closing_ends_what_runs() -> None:
    """Closing the backend ends open streams with an error instead of leaving readers waiting."""
    rows = FakeRows(step_s=0.002, context_tokens=100_000)

    async def body(backend: RowsBackend) -> None:
        reading = asyncio.create_task(collect(backend, Generation([1], 90_000)))
        await until(lambda: len(rows.widths) > 2)
        began = time.monotonic()
        await asyncio.to_thread(backend.close)
        _, last = await reading
        assert last.finish == "error"
        assert time.monotonic() - began < 60

    serving(rows, body)


def test_a_runtime_without_adapters_refuses_them() -> None:
    """A request for an adapter is refused by name, not served by the bare model."""

    async def body(backend: RowsBackend) -> None:
        with pytest.raises(AdapterUnsupported):
            await backend.submit(Generation([1], 5, adapter="mine"))
        with pytest.raises(AdapterUnsupported):
            await backend.load_adapter("mine", Path("1"))

    rows = FakeRows()
    rows.adapts = False
    serving(rows, body)


def test_seeds_decide_draws_and_neighbours_do_not() -> None:
    """A seeded request draws the same tokens alone and in company."""

    async def body(backend: RowsBackend) -> None:
        asked = Generation([1], 20, sampling=Sampling(temperature=8.0, seed=5))
        alone, _ = await collect(backend, asked)
        others = [collect(backend, Generation([at], 20, sampling=Sampling(temperature=8.0))) for at in (2, 3, 4)]
        (again, _), *_ = await asyncio.gather(collect(backend, asked), *others)
        other, _ = await collect(backend, Generation([1], 20, sampling=Sampling(temperature=8.0, seed=6)))
        assert alone == again != other

    serving(FakeRows(), body)


@pytest.mark.parametrize(
    ("held", "prompt", "length"),
    [([], [1], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 2], 2), ([2], [1], 0), ([1, 2, 9, 4], [1, 2, 3, 4], 2)],
)
def test_shared_counts_the_common_beginning(held: list[int], prompt: list[int], length: int) -> None:
    """Only what both begin with counts, however they go on."""
    assert shared(held, prompt) == length
