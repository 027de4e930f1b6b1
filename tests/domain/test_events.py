"""Event ids are ULIDs: they sort by time and differ by their random part."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.kernel.events import (
    RANDOM_BYTES,
    RANDOM_LETTERS,
    ULID_LENGTH,
    following,
    in_order,
    instant_before,
    time_of_ulid,
    ulid,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.store.samples import sample_event

instants = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
randomness = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


def test_the_example_of_the_ulid_specification() -> None:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1_469_922_850_259)

    assert ulid(instant, bytes.fromhex("d6764c61efb99302bd5b")) == "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@given(instants, randomness, randomness, st.integers(1, 10**9))
def test_a_later_id_sorts_after_an_earlier_one(earlier: datetime, one: bytes, other: bytes, milliseconds: int) -> None:
    assert ulid(earlier, one) < ulid(earlier + timedelta(milliseconds=milliseconds), other)


@given(instants, randomness, randomness)
def test_ids_of_the_same_instant_differ_by_their_random_part(instant: datetime, one: bytes, other: bytes) -> None:
    assert (ulid(instant, one) == ulid(instant, other)) == (one == other)
    assert len(ulid(instant, one)) == ULID_LENGTH
    assert ulid(instant, one).isascii()
    assert not set(ulid(instant, one)) & set("ILOU")


@given(instants, randomness)
def test_the_following_id_is_the_next_one(instant: datetime, random: bytes) -> None:
    id_ = ulid(instant, random)

    assert id_ < following(id_) < following(following(id_))
    assert len(following(id_)) == ULID_LENGTH
    assert following(ulid(instant, b"\xff" * RANDOM_BYTES)) == ulid(
        instant + timedelta(milliseconds=1), bytes(RANDOM_BYTES)
    )


@given(instants, randomness, st.integers(0, 10**9))
def test_an_instant_before_an_id_is_the_first_id_of_it(instant: datetime, random: bytes, milliseconds: int) -> None:
    id_, span = ulid(instant, random), timedelta(milliseconds=milliseconds)

    before = instant_before(id_, span)

    assert before <= id_
    assert before[-RANDOM_LETTERS:] == "0" * RANDOM_LETTERS
    assert abs(time_of_ulid(id_) - time_of_ulid(before) - span) < timedelta(milliseconds=1)


@given(st.lists(st.tuples(instants, randomness), max_size=5), instants, randomness)
def test_ids_in_order_sort_after_the_last_one_and_change_only_where_they_must(
    given_ids: list[tuple[datetime, bytes]], instant: datetime, random: bytes
) -> None:
    last = ulid(instant, random)
    events = [replace(sample_event(), id=ulid(*each)) for each in given_ids]

    ordered = [each.id for each in in_order(events, last)]

    assert [last, *ordered] == sorted({last, *ordered})
    for before, event, id_ in zip([last, *ordered], events, ordered, strict=False):
        assert id_ == (event.id if event.id > before else following(before))
