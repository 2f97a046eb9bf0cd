"""Every byte reader: what is written is read back, and damage is an error or a right answer."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_datasets_events import aedat, atis, bs3, npy
from snn_datasets_events.tape import T_END, Tape, finished
from snn_kernel import DataError


def events_of(x: int, y: int, t: int, p: int = 1, most: int = 30) -> st.SearchStrategy:
    """Lists of (x, y, t, p), each up to and with its limit."""
    event = st.tuples(*(st.integers(0, limit) for limit in (x, y, t, p)))
    return st.lists(event, max_size=most)


def table(signals) -> list[tuple[int, ...]]:
    return [tuple(int(n) for n in row) for row in zip(*signals, strict=True)]


@given(st.lists(events_of(255, 239, 2**23 - 1), max_size=5))
def test_atis_files_are_read_back_together(write, samples):
    signals, lengths = atis.decode([write.atis(s) for s in samples])
    assert lengths == [len(s) for s in samples]
    assert table(signals) == [event for s in samples for event in s]


@given(st.lists(events_of(3, 255, 2**20), max_size=5), st.data())
def test_marks_of_atis_add_time_within_their_file_alone(write, samples, data):
    kept = []
    for sample in samples:
        for _ in range(data.draw(st.integers(0, 3))):
            sample.insert(data.draw(st.integers(0, len(sample))), (0, 240, 5, 0))
        passed, own = 0, []
        for x, y, t, p in sample:
            passed += y == 240
            own += [(x, y, t + passed * 8192, p)] if y != 240 else []
        kept.append(own)
    signals, lengths = atis.decode([write.atis(s) for s in samples])
    assert lengths == [len(s) for s in kept]
    assert table(signals) == [event for s in kept for event in s]


@given(events_of(4095, 4095, 2**24 - 1, 255))
def test_bs3_is_read_back(write, events):
    assert table(bs3.decode(write.bs3(events), "")) == events


@given(st.binary(max_size=40))
def test_any_bytes_are_bs3_or_an_error(blob):
    if len(blob) % 7:
        with pytest.raises(DataError, match=rf"^f: holds {len(blob)} bytes, not 7 for each event"):
            bs3.decode(blob, "f")
    else:
        assert {len(s) for s in bs3.decode(blob, "f")} == {len(blob) // 7}


@given(events_of(2**15 - 1, 2**15 - 1, 2**34), st.integers(1, 9))
def test_aedat_is_read_back(write, events, size):
    events.sort(key=lambda e: e[2] >> 31)  # packets are in the order of overflows
    assert table(aedat.decode(write.aedat(events, size), "")) == events


def test_events_of_aedat_that_are_not_valid_are_left_out(write):
    blob = write.aedat([(1, 2, 3, 1)], valid=False)
    assert table(aedat.decode(blob, "")) == []


@given(st.data())
def test_aedat_with_damage_is_events_or_an_error(write, data):
    blob = bytearray(write.aedat([(i, i, i * 10, i % 2) for i in range(40)], 15))
    blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.integers(len(blob) // 3, len(blob))) :]
    try:
        signals = aedat.decode(bytes(blob), "f")
    except DataError:
        return
    assert len({len(s) for s in signals}) == 1
    assert len(signals[0]) <= len(blob) // 8


def test_absurd_sizes_in_aedat_are_an_error(write):
    begin = write.aedat([])
    for size, capacity, number in [
        (8, 2**32 - 1, 1),
        (2**32 - 1, 2**32 - 1, 0),
        (8, 1, 2),
        (4, 1, 1),
    ]:
        packet = np.array([1, 1], "<u2").tobytes()
        packet += np.array([size, 4, 0, capacity, number, number], "<u4").tobytes() + bytes(8)
        with pytest.raises(
            DataError, match=r"f: (ends within the packet|has . events in a packet)"
        ):
            aedat.decode(begin + packet, "f")


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "is no AEDAT 3.1 file: it begins with b''"),
        (b"#!AER-DAT2.0\r\n", "begins with b'#!AER-DAT2.0'"),
        (b"#!AER-DAT3.1\r\nmore", "its header has no line #!END-HEADER"),
        (b"#!AER-DAT3.1\r\n#!END-HEADER\r\n123", "ends within the packet at byte 28"),
    ],
)
def test_other_formats_than_aedat_are_told(blob, message):
    with pytest.raises(DataError, match=message):
        aedat.decode(blob, "f")


def saved(array, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


numbers = hnp.arrays(
    st.one_of(
        hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(32, 64))
    ),
    st.one_of(st.tuples(st.integers(0, 5)), st.tuples(st.integers(0, 5), st.integers(1, 4))),
)


@given(numbers, st.booleans())
def test_what_numpy_saves_is_read_back(array, fortran):
    array = np.asfortranarray(array) if fortran else array
    found = npy.decode(saved(array), "")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array, equal_nan=array.dtype.kind == "f")


@given(st.data())
def test_npy_with_damage_is_numbers_or_an_error(data):
    blob = bytearray(saved(np.arange(12.0).reshape(3, 4)))
    blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.integers(0, len(blob))) :]
    try:
        found = npy.decode(bytes(blob), "f")
    except DataError:
        return
    assert found.nbytes == 96


def test_pickles_and_absurd_shapes_are_not_read():
    with pytest.raises(DataError, match=r"no .npy file of numbers.*pickled objects are not read"):
        npy.decode(saved(np.array([{}]), allow_pickle=True), "f")
    blob = saved(np.zeros((3, 4)))
    for shape in (b"(999999999999, 4)", b"(3, 5)", b"(2, 4)"):
        changed = blob.replace(b"(3, 4)", shape)
        head = changed.index(b"\n") - 9
        changed = changed[:8] + head.to_bytes(2, "little") + changed[10:]
        with pytest.raises(DataError, match="f: holds 96 bytes of data; its header says"):
            npy.decode(changed, "f")


def packed(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_npz_members_are_read_in_order_and_bounded():
    blob = packed(t=np.arange(3), x=np.ones(3))
    t, x = npy.members(blob, "tx", "f", 1000)
    assert (t.tolist(), x.tolist()) == ([0, 1, 2], [1, 1, 1])
    with pytest.raises(DataError, match="f: array 't' unpacks to more than 100 bytes"):
        npy.members(blob, "tx", "f", 100)
    with pytest.raises(DataError, match=r"f: has no array 'p', only t.npy, x.npy"):
        npy.members(blob, "xp", "f", 1000)


@given(st.data())
def test_npz_with_damage_is_numbers_or_an_error(data):
    blob = bytearray(packed(t=np.arange(30), x=np.ones(30, np.uint8)))
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.integers(len(blob) // 2, len(blob))) :]
    try:
        npy.members(bytes(blob), "tx", "f", 1000)
    except DataError:
        return


def test_a_packed_member_that_lies_about_its_size_is_cut():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.npy", bytes(10_000_000))
    with pytest.raises(DataError, match="unpacks to more than 5000 bytes"):
        npy.members(file.getvalue(), "t", "f", 5000)


@given(st.lists(events_of(4, 5, 2**32 - 1), min_size=1, max_size=6))
def test_a_tape_holds_what_was_written(rows, samples):
    samples = [sorted(s, key=lambda e: e[2]) for s in samples]
    tape = Tape((5, 6, 2))
    for i, sample in enumerate(samples):
        tape.write(np.array(sample, np.int64).reshape(-1, 4).T, [i], [f"s{i}"])
    whole = np.array([e for s in samples for e in s], np.float64).reshape(-1, 4).T
    tape.write(whole, [7] * len(samples), [""] * len(samples), [len(s) for s in samples])
    finished([tape], "")
    events = tape.events()
    assert rows(events) == samples * 2
    assert events.labels.tolist() == [*range(len(samples)), *[7] * len(samples)]


NAN = float("nan")


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ((5, 0, 9, 0), "is not within 5 x 6 pixels, 2 polarities"),
        ((-1, 0, 9, 0), "is not within"),
        ((0, 6, 9, 0), "is not within"),
        ((0, 0, 9, 2), "is not within"),
        ((0, 0, T_END, 0), "is not within"),
        ((0, 0, NAN, 0), "is not within"),
        ((0, NAN, 9, 0), "is not within"),
        ((0.5, 0, 9, 0), "is not within"),
        ((0, 0, 3, 0), "is earlier than the event before it"),
    ],
)
def test_events_that_cannot_be_are_told_with_the_sample(event, what):
    good = [(4, 5, 7, 1), (0, 0, 8, 0)]
    for kind in (np.float64, np.int64):
        if kind is np.int64 and any(n != n // 1 for n in event):
            continue
        tape = Tape((5, 6, 2))
        signals = np.array([*good, *good, event, *good, *good], kind).T
        tape.write(signals, [0, 1, 2, 3], ["a", "b", "c", "d"], [2, 3, 2, 2])
        with pytest.raises(DataError, match=rf"^b \(Kind\): event 2 \(x .*, p .*\) {what}"):
            finished([tape], "Kind")


def test_many_faults_are_told_in_part():
    tape = Tape((1, 1, 1))
    tape.write(np.ones((4, 50)), [0] * 50, [f"s{i}" for i in range(50)], [1] * 50)
    with pytest.raises(DataError) as caught:
        finished([tape], "")
    assert len(caught.value.faults) == 21
    assert str(caught.value).endswith("30 more samples are wrong")


def test_what_memory_does_not_hold_is_told(monkeypatch):
    tape = Tape((1, 1, 1))
    with pytest.raises(DataError, match=r"memory does not hold .* events, which need .* GiB"):
        tape._grow(1 << 58)
