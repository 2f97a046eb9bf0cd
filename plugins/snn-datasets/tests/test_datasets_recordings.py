import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_datasets import recordings
from snn_kernel import DataError

LENGTH = 24
own_folder = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)


def read(folder: Path, content: bytes) -> np.ndarray:
    (folder / "one.wav").write_bytes(content)
    signal = np.zeros(LENGTH, np.float32)
    recordings.read(folder / "one.wav", signal)
    return signal


@own_folder
@given(hnp.arrays(np.int16, st.integers(1, 2 * LENGTH)))
def test_samples_are_scaled_cut_and_padded(tmp_path, wav_bytes, samples):
    signal = read(tmp_path, wav_bytes(samples))
    expected = np.zeros(LENGTH)
    expected[: len(samples)] = samples[:LENGTH] / 32768
    assert np.array_equal(signal, expected)  # exact: 2^15 is a power of two
    assert signal.min() >= -1
    assert signal.max() < 1


def test_what_stands_beside_the_samples_is_passed_over(tmp_path, wav_bytes):
    content = wav_bytes([1, -2, 3])
    extra = b"LIST" + struct.pack("<I", 6) + b"abcdef"
    size = struct.pack("<I", len(content) - 8 + 2 * len(extra))
    both = content[:4] + size + content[8:12] + extra + content[12:] + extra
    assert np.array_equal(read(tmp_path, both), read(tmp_path, content))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"rate": 8000}, r"has 16 bits in 1 channel\(s\) at 8000 Hz, not 16 bits in one"),
        ({"channels": 2}, r"has 16 bits in 2 channel\(s\) at 16000 Hz"),
        ({"dtype": "u1"}, r"has 8 bits in 1 channel\(s\)"),
        ({"dtype": "<i4"}, r"has 32 bits in 1 channel\(s\)"),
    ],
)
def test_another_form_is_told(tmp_path, wav_bytes, form, message):
    with pytest.raises(DataError, match=rf"one.wav: {message}"):
        read(tmp_path, wav_bytes([1, 2, 3, 4], **form))


def test_what_is_no_wav_file_is_told(tmp_path, wav_bytes):
    good = wav_bytes([1, 2])
    for content, message in (
        (b"", "is no wav file of plain samples .PCM.: it ends too early"),
        (
            b"ID3" + bytes(100),
            "is no wav file of plain samples .PCM.: file does not start with RIFF",
        ),
        (good[:-1], "ends after 1 of 2 samples .fetch it again"),
        (good[:-4], "ends after 0 of 2 samples"),
        (good.replace(b"\x10\0\0\0\x01\0", b"\x10\0\0\0\x03\0"), "unknown format: 3"),
        (wav_bytes([]), "holds no sound"),
    ):
        with pytest.raises(DataError, match=rf"one.wav: .*{message}"):
            read(tmp_path, content)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        recordings.read(tmp_path / "none.wav", np.zeros(1, np.float32))
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        recordings.read(tmp_path / "folder.wav", np.zeros(1, np.float32))


@own_folder
@given(st.data())
def test_damaged_files_are_a_signal_or_an_error(tmp_path, wav_bytes, data):
    content = bytearray(wav_bytes(np.arange(1, 20)))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(content)))
    try:
        signal = read(tmp_path, bytes(content[:length]))
    except DataError:
        return
    assert np.isfinite(signal).all()
    assert np.abs(signal).max() <= 1


@own_folder
@given(st.binary(max_size=80).map(lambda b: b"RIFF\xff\xff\0\0WAVE" + b))
def test_any_bytes_are_a_signal_or_an_error(tmp_path, content):
    with pytest.raises(DataError):
        read(tmp_path, content)
