"""Draws are the same everywhere; division loses nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.demo.draw import Stream, seats, split

WEIGHTS = st.lists(st.integers(0, 5000), min_size=1, max_size=20).filter(any)


@given(st.integers(0, 10**12), WEIGHTS)
def test_split_adds_up_and_stays_within_one_of_the_share(total, weights):
    parts = split(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


@given(WEIGHTS)
def test_split_gives_nothing_where_there_is_no_weight(weights):
    assert all(part == 0 for part, weight in zip(split(10**9, weights), weights, strict=True) if weight == 0)


def test_split_without_any_weight_is_a_bug():
    with pytest.raises(ValueError, match="nothing"):
        split(5, [0, 0])


@given(st.integers(0, 60), st.lists(st.integers(1, 500), min_size=1, max_size=8))
def test_seats_never_fall_when_there_are_more(total, weights):
    fewer, more = seats(total, weights), seats(total + 1, weights)
    assert sum(fewer) == total
    assert all(a <= b for a, b in zip(fewer, more, strict=True))


def test_a_stream_is_the_same_on_every_machine():
    """Philox with a key from SHA-256: if this fails, every published digest of a demonstration changes too."""
    stream = Stream(145, "mini", "test")
    assert stream.integers(0, 1000, 6).tolist() == [13, 185, 168, 644, 309, 539]
    assert stream.around_one(0.1, 3).tolist() == [0.9929, 1.01495, 0.99865]


def test_streams_are_apart():
    a, b = Stream(1, "a").integers(0, 1 << 20, 50), Stream(1, "b").integers(0, 1 << 20, 50)
    assert not np.array_equal(a, b)
    assert np.array_equal(a, Stream(1, "a").integers(0, 1 << 20, 50))


def test_around_one_stays_within_its_spread():
    drawn = Stream(7, "x").around_one(0.12, (200, 5))
    assert drawn.shape == (200, 5)
    assert float(drawn.min()) >= 0.88
    assert float(drawn.max()) <= 1.12


def test_pick_follows_weights():
    picks = Stream(3, "pick").pick([1, 0, 3], 4000)
    counts = np.bincount(picks, minlength=3)
    assert counts[1] == 0
    assert 2700 < counts[2] < 3300


def test_skewed_has_a_long_tail_that_ends():
    sizes = Stream(3, "size").skewed(5000, tail=60)
    assert 0.9 < float(sizes.min()) < 1.1
    assert 40 < float(sizes.max()) <= 60


def test_shuffled_keeps_everything():
    assert sorted(Stream(9, "s").shuffled(100)) == list(range(100))
