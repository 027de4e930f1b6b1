"""Event ids are ULIDs: they sort by time and differ by their random part."""

from datetime import UTC, datetime, timedelta

from billing.kernel.events import RANDOM_BYTES, ULID_LENGTH, ulid
from hypothesis import given
from hypothesis import strategies as st

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
