import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from snn_datasets import speech
from snn_datasets.speech import COMMANDS, DIGITS, GSC, V2_ONLY
from snn_kernel import ConfigError, DataError
from snn_kernel.config import configure

# Speakers and the sets that the published lists have them in.
SPEAKERS = {"026290a7": "valid", "0c40e715": "test", "0132a06d": "train"}
V1 = (
    "bed bird cat dog down eight five four go happy house left marvin nine no off on one right "
    "seven sheila six stop three tree two up wow yes zero"
)
V2 = (
    "backward bed bird cat dog down eight five follow forward four go happy house learn left "
    "marvin nine no off on one right seven sheila six stop three tree two up visual wow yes zero"
)


@pytest.fixture
def spoken(tmp_path, wav_bytes):
    """Makes a folder of words, each spoken once by every speaker: the words' number, 1, 2, …"""

    def make(words=None, speakers=SPEAKERS, lists=False):
        words = words or V2.split()
        folder = tmp_path / "speech"
        for number, word in enumerate(words, 1):
            (folder / word).mkdir(parents=True)
            for speaker in speakers:
                path = folder / word / f"{speaker}_nohash_0.wav"
                path.write_bytes(wav_bytes([number] * 3))
        (folder / "_background_noise_").mkdir()
        (folder / "_background_noise_" / "running_tap.wav").write_bytes(wav_bytes([99]))
        if lists:
            by_list(folder, words, speakers)
        return folder

    def by_list(folder, words, speakers):
        for name, file in speech.LISTS.items():
            named = [s for s in speakers if speakers[s] == name]
            lines = [f"{w}/{s}_nohash_0.wav\n" for w, s in itertools.product(words, named)]
            (folder / file).write_text("".join(lines))

    return make


def test_the_words_are_those_of_the_paper_in_this_order():
    assert GSC(variant="v1").words == tuple(V1.split())
    assert GSC().words == tuple(V2.split())
    assert (len(GSC(variant="v1").words), len(GSC().words)) == (30, 35)
    assert GSC(subset="digits").words == DIGITS
    assert DIGITS[0], DIGITS[9] == ("zero", "nine")
    assert GSC(subset="commands").words == COMMANDS
    assert len(COMMANDS) == 10


@pytest.mark.parametrize(
    ("variant", "subset"), [*itertools.product(("v1", "v2"), ("all", "digits", "commands"))]
)
def test_signals_and_labels_belong_together(spoken, heard, variant, subset):
    written = (V1 if variant == "v1" else V2).split()
    config = GSC(str(spoken(written)), variant, subset)
    assert list(config.check(None, "")) == []
    splits = config.load(heard.context)
    classes = {"all": len(written), "digits": 10, "commands": 10}[subset]
    assert splits.classes == classes
    for part in (splits.train, splits.valid, splits.test):
        assert part.layout == "NLC"
        assert part.x.shape == (classes, 16000, 1)
        assert part.y.tolist() == list(range(classes))
        numbers = [1 + written.index(word) for word in config.words]
        assert (part.x[:, :3, 0] * 32768).astype(int).tolist() == [[n] * 3 for n in numbers]
        assert not part.x[:, 3:].any()
    assert heard.steps[-1] == ("recordings", 3 * classes, 3 * classes)


def test_all_sets_are_parts_of_one_array(spoken, heard):
    splits = GSC(str(spoken()), subset="digits").load(heard.context)
    assert splits.train.x.base is splits.valid.x.base is splits.test.x.base
    assert splits.train.x.base is not None


def test_the_lists_decide_where_they_are_there(spoken, heard):
    others = {"026290a7": "test", "0c40e715": "train", "0132a06d": "valid", "x": "train"}
    splits = GSC(str(spoken(speakers=others, lists=True)), subset="digits").load(heard.context)
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (20, 10, 10)
    assert splits.train.y.tolist() == np.repeat(np.arange(10), 2).tolist()


def test_the_rule_is_the_published_one():
    """Recordings whose sets the published lists tell; numbers do not count, nor does the word."""
    for speaker, name in {**SPEAKERS, "060cd039": "valid", "0ea0e2f4": "test"}.items():
        for file in (f"bed/{speaker}_nohash_0.wav", f"yes/{speaker}_nohash_12.wav"):
            assert speech._by_rule(file) == name
    found = [speech._by_rule(f"bed/{i:08x}_nohash_0.wav") for i in range(20_000)]
    for name, part in (("valid", 0.1), ("test", 0.1), ("train", 0.8)):
        assert found.count(name) / len(found) == pytest.approx(part, abs=0.01)


def test_a_set_without_recordings_is_absent(spoken, heard):
    splits = GSC(str(spoken(speakers={"0132a06d": "train"})), subset="digits").load(heard.context)
    assert (len(splits.train), splits.valid, splits.test) == (10, None, None)


def test_the_folder_of_the_archive_is_found_in_the_one_above(spoken, heard, tmp_path):
    spoken().rename(tmp_path / "speech_commands_v0.02")
    assert list(GSC(str(tmp_path)).check(None, "")) == []
    assert len(GSC(str(tmp_path), subset="commands").load(heard.context).train) == 10


def faults_of(config, heard):
    """What is wrong, as told when planning; loading tells the same."""
    found = [str(f) for f in config.check(None, "")]
    with pytest.raises(DataError) as caught:
        config.load(heard.context)
    assert len(found) == len(caught.value.faults)
    assert all(f in str(caught.value) for f in found)
    return "\n".join(found)


def test_a_missing_folder_is_told_with_where_the_set_comes_from(heard, tmp_path, monkeypatch):
    text = faults_of(GSC(str(tmp_path / "none")), heard)
    assert f"the folder {tmp_path / 'none'} is not there" in text
    assert "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz" in text
    assert "v0.01.tar.gz" in faults_of(GSC(str(tmp_path / "none"), "v1"), heard)
    (tmp_path / "file").write_text("")
    assert "file is a file, not the folder" in faults_of(GSC(str(tmp_path / "file")), heard)
    monkeypatch.setenv("SNNK_CACHE", str(tmp_path / "kept"))
    assert f"the folder {tmp_path / 'kept' / 'gsc'} is not there" in faults_of(GSC(), heard)


def test_missing_words_are_told_and_only_those_of_the_subset(spoken, heard):
    folder = spoken()
    for word in ("yes", "no", "bed"):
        shutil.rmtree(folder / word)
    assert "3 of 35 words are missing in" in faults_of(GSC(str(folder)), heard)
    text = faults_of(GSC(str(folder), subset="commands"), heard)
    assert f"2 of 10 words are missing in {folder}: yes, no (" in text
    assert list(GSC(str(folder), subset="digits").check(None, "")) == []
    for word in DIGITS:
        shutil.rmtree(folder / word)
    assert "13 of 35 words are missing" in faults_of(GSC(str(folder)), heard)
    assert "three and 3 more (" in faults_of(GSC(str(folder)), heard)


def test_the_other_variant_is_told(spoken, heard):
    text = faults_of(GSC(str(spoken()), "v1"), heard)
    assert f"holds {', '.join(V2_ONLY)}, which v1 has not" in text
    assert 'params.variant = "v2"' in text


def test_v1_read_as_v2_is_told(spoken, heard):
    folder = str(spoken(V1.split()))
    for subset in ("all", "digits", "commands"):  # whose words are in both, not the recordings
        text = faults_of(GSC(folder, subset=subset), heard)
        assert "holds all words of v1, none of those that only v2 has" in text
        assert 'set params.variant = "v1"' in text


def test_one_list_without_the_other_is_told(spoken, heard):
    folder = spoken(lists=True)
    (folder / "testing_list.txt").unlink()
    text = faults_of(GSC(str(folder)), heard)
    assert f"{folder / 'testing_list.txt'} is missing" in text


def test_lists_that_contradict_the_folders_are_told(spoken, heard):
    folder = spoken(lists=True)
    with (folder / "testing_list.txt").open("a") as file:
        file.write("one/nobody_nohash_0.wav\nelse/x.wav\none/026290a7_nohash_0.wav\n")
    (folder / "two" / "026290a7_nohash_0.wav").unlink()
    with pytest.raises(DataError) as caught:
        GSC(str(folder), subset="digits").load(heard.context)
    text = str(caught.value)
    assert len(caught.value.faults) == 3
    assert "validation_list.txt (GSC): lists 1 recordings that are not there: two/0262" in text
    assert "testing_list.txt (GSC): lists 1 recordings that are not there: one/nobody" in text
    assert "lists 1 recordings of validation_list.txt again: one/026290a7_nohash_0.wav" in text


def test_a_list_of_any_bytes_is_no_crash(spoken, heard):
    folder = spoken(lists=True)
    (folder / "testing_list.txt").write_bytes(b"one/\xff\xfe\0 \n/\n\n//one/x\n")
    with pytest.raises(DataError, match="lists 1 recordings that are not there"):
        GSC(str(folder), subset="digits").load(heard.context)


def test_faulty_recordings_are_told_all_at_once_and_of_many_the_first(spoken, heard, wav_bytes):
    folder = spoken()
    (folder / "one" / "0132a06d_nohash_0.wav").write_bytes(b"none")
    (folder / "two" / "0c40e715_nohash_0.wav").write_bytes(wav_bytes([1], rate=44100))
    with pytest.raises(DataError) as caught:
        GSC(str(folder), subset="digits").load(heard.context)
    assert [Path(f.where).parent.name for f in caught.value.faults] == ["one", "two"]
    for word in V2.split():
        (folder / word / "0132a06d_nohash_0.wav").write_bytes(b"none")
    with pytest.raises(DataError) as caught:
        GSC(str(folder)).load(heard.context)
    assert len(caught.value.faults) == 11
    assert str(caught.value).endswith("GSC: 26 more recordings are wrong")


def test_folders_without_recordings_are_told(spoken, heard):
    folder = spoken(speakers={})
    (folder / "one" / "notes.txt").write_text("not a recording")
    with pytest.raises(DataError, match="holds folders of words, but no wav files"):
        GSC(str(folder)).load(heard.context)


def test_more_than_memory_holds_is_told(spoken, heard, monkeypatch):
    folder = spoken()

    def none_left(*_):
        raise MemoryError

    monkeypatch.setattr(speech.np, "zeros", none_left)
    with pytest.raises(DataError, match=r"105 recordings need 0\.0 GiB of memory .*subset"):
        GSC(str(folder)).load(heard.context)


def test_params_of_speech_are_checked():
    with pytest.raises(ConfigError) as caught:
        configure("dataset", "GSC", {"variant": 2, "subset": "12", "pth": ""})
    assert len(caught.value.faults) == 3
