import os
import pickle
import pickletools
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_datasets import pickled
from snn_kernel import DataError

ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**17), 10**17), st.text(max_size=300)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=12,
)


def parsed(content: bytes) -> Any:
    return pickled.parse(content, "file")


def attempt(content: bytes) -> Any:
    """What comes of any bytes: a value, an array of it, or a DataError; nothing else."""
    try:
        value = parsed(content)
        return pickled.array(value["data"] if isinstance(value, dict) else value, "file")
    except (DataError, KeyError):
        return None


@given(values, st.integers(0, 3))
def test_plain_values_are_what_python_pickled(value, protocol):
    assert parsed(pickle.dumps(value, protocol)) == value


@given(st.dictionaries(st.text(st.characters(max_codepoint=255), max_size=300), st.integers(0, 9)))
def test_strings_of_python_2_are_bytes_but_as_keys(python2_pickle, table):
    assert parsed(python2_pickle(table)) == table
    listed = parsed(python2_pickle(list(table)))
    assert listed == [name.encode("latin-1") for name in table]


@given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=5)), st.data())
def test_arrays_are_what_numpy_pickled(python2_pickle, array, data):
    if data.draw(st.booleans()):
        content = python2_pickle(array)
    else:
        array = np.asfortranarray(array) if data.draw(st.booleans()) else array
        content = pickle.dumps(array, data.draw(st.integers(0, 3)))
    found = pickled.array(parsed(content), "file")
    assert found.dtype == np.uint8
    assert found.shape == array.shape
    assert np.array_equal(found, array)


def test_protocol_0_of_python_2_is_read():
    """Text, as Python 2.7 writes if no protocol is asked for; the array has bytes 0..255."""
    data = "".join(chr(i) for i in range(256))
    quoted = "'" + repr(data.encode("latin-1"))[2:-1] + "'"
    content = (
        b"(dp0\nS'labels'\np1\n(lp2\nI3\naI01\naL7L\nasS'data'\np3\n"
        b"cnumpy.core.multiarray\n_reconstruct\np4\n(cnumpy\nndarray\np5\n(I0\ntp6\nS'b'\np7\n"
        b"tp8\nRp9\n(I1\n(I2\nI128\ntp10\ncnumpy\ndtype\np11\n(S'u1'\np12\nI0\nI1\ntp13\nRp14\n"
        b"(I3\nS'|'\np15\nNNNI-1\nI-1\nI0\ntp16\nbI00\n"
        b"S" + quoted.encode() + b"\np17\ntp18\nbsV\\u00e9t\xe9\np19\ng12\ns."
    )
    table = parsed(content)
    assert table["labels"] == [3, True, 7]
    assert table["été"] == b"u1"
    found = pickled.array(table["data"], "file")
    assert np.array_equal(found, np.arange(256).reshape(2, 128))


class Hostile:
    """What a hostile file would have unpickled: a call of `call`, which makes a file."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.made = (call, args)

    def __reduce__(self) -> Any:
        return self.made


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_is_refused_and_not_executed(tmp_path, protocol):
    target = tmp_path / "owned"
    for call in (os.system, eval, exec):
        command = f"touch {target}" if call is os.system else f"open({str(target)!r}, 'w')"
        hostile = pickle.dumps({"data": Hostile(call, command), "labels": [1]}, protocol)
        with pytest.raises(
            DataError, match=r"asks for symbol '.*(system|eval|exec)'|is a pickle of"
        ):
            parsed(hostile)
        pickle.loads(hostile)  # the same file does make one, where it is unpickled
        assert target.exists()
        target.unlink()
        with pytest.raises(DataError):
            parsed(hostile)
        assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged: it ends within an opcode, at byte 0"),
        (b"\x80\x02]", "is damaged: it ends within an opcode, at byte 3"),
        (b"cos\nsystem\n(S'true'\ntR.", "asks for symbol 'os.system', at byte 0"),
        (b"c" + b"o" * 99 + b"\n\xff\n.", "asks for symbol 'o{60}.u2026'"),
        (b"cos\nsystem", "is damaged: it ends within a line"),
        (b"(ios\nsystem\n.", "has opcode INST, at byte 1"),
        (b"(cnumpy\nndarray\no.", "has opcode OBJ"),
        (b"cnumpy\nndarray\n)\x81.", "has opcode NEWOBJ"),
        (b"\x82\x01.", "has opcode EXT1"),
        (b"P1\n.", "has opcode PERSID"),
        (b"G" + bytes(8) + b".", "has opcode BINFLOAT"),
        (b"\x8c\x02os\x8c\x06system\x93.", "has opcode SHORT_BINUNICODE"),
        (b"\xff.", "has opcode 0xff"),
        (b"\x80\x04N.", "is a pickle of protocol 4, beyond 3, at byte 0"),
        (b".", "it ends before it is complete"),
        (b"NN.", "it ends before it is complete"),
        (b"(N.", "it ends before it is complete"),
        (b"N.N", "goes on for 1 bytes after its end"),
        (b"h\x01.", "it takes what it never put into its memo"),
        (b"q\x01.", "an opcode lacks what it works on"),
        (b"a.", "an opcode lacks what it works on"),
        (b"](a.", "an opcode lacks what it works on"),
        (b"e.", "an opcode lacks its mark"),
        (b"NNa.", "it appends to what is no list"),
        (b"N(e.", "it appends to what is no list"),
        (b"NNNs.", "it fills what is no dictionary"),
        (b"}(Nu.", "or with half a pair"),
        (b"}K\x01Ns.", "has a dictionary with keys that are no text"),
        (b"}]Ns.", "has a dictionary with keys that are no text"),
        (b"N)R.", "REDUCE without a symbol and a tuple"),
        (b"cnumpy\nndarray\n]R.", "REDUCE without a symbol and a tuple"),
        (b"NNb.", "BUILD of what is nothing to build"),
        (b"cnumpy\nndarray\n)RK\x01bK\x02b.", "BUILD of what is nothing to build"),
        (b"Ix\n.", "INT with no decimal number"),
        (b"L" + b"9" * 5000 + b"L\n.", "LONG with no decimal number of up to 18 digits"),
        (b"\x8a\xff" + b"\x01" * 255 + b".", "LONG1 with a number of 255 bytes"),
        (b"Sx\n.", "STRING with a string without quotes"),
        (b"S'\\q'\n.", "STRING with an escape that Python does not write"),
        (b"S'\\\n.", "STRING with a string without quotes"),
        (b"X\x01\x00\x00\x00\xff.", "BINUNICODE with 'utf-8' codec"),
        (b"V\\ud8\n.", "UNICODE with 'rawunicodeescape' codec"),
        (b"T\xff\xff\xff\xff.", "it ends within an opcode"),
    ],
)
def test_what_is_refused_is_told_with_its_place(content, message):
    with pytest.raises(DataError, match=message) as caught:
        parsed(content)
    (fault,) = caught.value.faults
    refused = "no published file is like this; nothing of it was executed"
    assert fault.where == "file"
    assert str(fault).isprintable()
    damage = fault.what.startswith("is damaged")
    assert fault.hint == ("fetch it again" if damage else refused)


def test_the_opcodes_that_are_read_are_these_and_no_others():
    """Whoever adds one says here why it can do nothing but hold data."""
    read = set()
    for opcode in pickletools.opcodes:
        try:
            parsed(opcode.code.encode("latin-1") + bytes(300))
        except DataError as error:
            if f"has opcode {opcode.name}," not in str(error):
                read.add(opcode.name)
    known = (
        "PROTO STOP MARK NONE NEWTRUE NEWFALSE INT LONG LONG1 BININT BININT1 BININT2 "
        "STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES UNICODE BINUNICODE "
        "EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 "
        "EMPTY_DICT DICT SETITEM SETITEMS PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET "
        "GLOBAL REDUCE BUILD"
    )
    assert read == set(known.split())


def test_more_opcodes_than_any_data_set_has_are_refused(monkeypatch):
    monkeypatch.setattr(pickled, "OPCODES_MAX", 10)
    assert parsed(b"]" + b"Na" * 4 + b".") == [None] * 4
    with pytest.raises(DataError, match="has more than 10 opcodes"):
        parsed(b"]" + b"Na" * 5 + b".")


def test_a_list_that_holds_itself_and_a_deep_one_harm_nobody():
    itself = parsed(b"]q\x00h\x00a.")
    assert itself[0] is itself
    assert attempt(b"]q\x00h\x00a.") is None
    deep = b"]" * 200_000 + b"a" * 199_999 + b"."
    assert len(parsed(deep)) == 1
    shared = b"]q\x00" + b"(h\x00h\x00lq\x00" * 5000 + b"\x85" * 9 + b"."  # 2^5000 leaves
    assert attempt(shared) is None


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n)R"
UBYTES = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"


def stored(shape: bytes, data: bytes, dtype: bytes = UBYTES, order: bytes = b"\x89") -> bytes:
    """The pickle of an array, of parts that are opcodes."""
    return RECONSTRUCT + b"(K\x01" + shape + dtype + order + data + b"tb."


def encoded(text: str, encoding: bytes = b"latin1") -> bytes:
    """Opcodes that encode a text, as Python 3 writes bytes for Python 2."""
    data = text.encode()
    args = b"(X" + struct.pack("<I", len(data)) + data + b"X\x06\0\0\0" + encoding + b"tR"
    return b"c_codecs\nencode\n" + args


def test_an_array_of_parts_is_read():
    for data in (b"U\x02\x07\xff", b"C\x02\x07\xff", encoded("\x07ÿ")):
        assert attempt(stored(b"K\x02K\x01\x86", data)).tolist() == [[7], [255]]


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps([1, 2], 2),
        pickle.dumps(np.arange(4, dtype=np.int16), 2),
        pickle.dumps(np.array([None]), 2),
        pickle.dumps(np.array(["a"]), 2),
        RECONSTRUCT + b".",
        RECONSTRUCT + b"]b.",
        RECONSTRUCT + b"(K\x01)NN\x89U\x00tb.",
        UBYTES + b".",
        stored(b"K\x02\x85", b"U\x03\x01\x02\x03"),
        stored(b"K\x04\x85", b"U\x03\x01\x02\x03"),
        stored(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"U\x01\x01"),
        stored(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86", b"U\x01\x01"),
        stored(b"\x88\x85", b"U\x01\x01"),
        stored(b"N\x85", b"U\x01\x01"),
        stored(b"(" + b"K\x01" * 99 + b"t", b"U\x01\x01"),
        stored(b"K\x01\x85", b"U\x01\x01", order=b"K\x00"),
        stored(b"K\x01\x85", b"U\x01\x01", dtype=b"U\x02u1"),
        stored(b"K\x01\x85", b"U\x01\x01", dtype=b"cnumpy\ndtype\n(U\x02O8tR"),
        stored(b"K\x01\x85", b"U\x01\x01", dtype=b"cnumpy\ndtype\n)R"),
        stored(b"K\x01\x85", b"U\x01\x01", dtype=b"cnumpy\nndarray\n(U\x02u1tR"),
        stored(b"K\x01\x85", b"(lK\x01a"),
        stored(b"K\x01\x85", encoded("€")),
        stored(b"K\x01\x85", encoded("a", b"utf-16")),
    ],
)
def test_what_is_no_array_of_bytes_is_refused(content):
    with pytest.raises(DataError, match="file: is no numpy array of unsigned bytes"):
        pickled.array(parsed(content), "file")


def corpus(python2_pickle: Any) -> list[bytes]:
    table = {"data": ARRAY, "labels": [1, 2, 300], "filenames": ["a" * 300, "é"]}
    return [python2_pickle(table), *(pickle.dumps(table, protocol) for protocol in range(4))]


def test_every_truncation_is_refused(python2_pickle):
    for content in corpus(python2_pickle):
        assert np.array_equal(attempt(content), ARRAY)
        for length in range(len(content)):
            with pytest.raises(DataError):
                parsed(content[:length])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_flipped_bits_give_a_value_or_an_error(python2_pickle, data):
    content = bytearray(data.draw(st.sampled_from(corpus(python2_pickle))))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    attempt(bytes(content))


pieces = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([o.code.encode("latin-1") for o in pickletools.opcodes]),
    st.sampled_from(
        [f"c{s.rpartition('.')[0]}\n{s.rpartition('.')[2]}\n" for s in pickled.SYMBOLS]
    ).map(str.encode),
    st.integers(0, 9).map(lambda n: b"K" + bytes([n])),
    st.integers(0, 2**32 - 1).map(lambda n: b"T" + struct.pack("<I", n)),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(pieces, max_size=30).map(b"".join))
@example(b"cos\nsystem\n(S'false'\ntR.")
def test_any_bytes_give_a_value_or_an_error(content):
    attempt(content)
