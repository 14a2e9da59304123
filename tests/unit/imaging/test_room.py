"""Large pictures wait for each other, small ones don't, and none waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from arcface_cli.imaging.room import Room


def test_a_picture_larger_than_the_room_has_it_alone() -> None:
    room = Room(100)
    with room.lease() as reserve:
        reserve(1_000)


def test_small_pictures_take_no_room() -> None:
    room = Room(100, small=10)
    with room.lease() as first, room.lease() as second, room.lease() as third:
        first(95)
        second(10)
        third(10)
    assert [room.is_small(pixels) for pixels in (10, 11)] == [True, False]


def test_a_second_picture_waits_until_the_first_has_gone() -> None:
    room, entered = Room(100), threading.Event()

    def second() -> None:
        with room.lease() as reserve:
            reserve(60)
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with room.lease() as reserve:
            reserve(60)
            waiting = pool.submit(second)
            assert not entered.wait(0.05)
        waiting.result(5)
    assert entered.is_set()


def test_a_lease_that_ends_in_an_error_gives_its_space_back() -> None:
    room = Room(100)
    for _ in range(3):
        try:
            with room.lease() as reserve:
                reserve(100)
                raise ValueError
        except ValueError:
            pass
    with room.lease() as reserve:
        reserve(100)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 150), max_size=40))
def test_the_room_is_never_overfull_but_for_a_single_picture(sizes: list[int]) -> None:
    room, inside, lock = Room(100), list[int](), threading.Lock()

    def work(size: int) -> bool:
        with room.lease() as reserve:
            reserve(size)
            with lock:
                inside.append(size)
                fits = len(inside) == 1 or sum(inside) <= 100
            with lock:
                inside.remove(size)
        return fits

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, sizes))
