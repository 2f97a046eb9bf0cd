"""The engine in a process of its own: the same answers, and clear words when it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import msgpack
import numpy as np
import pytest
from engine_networks import frames, networks
from hypothesis import given, settings

from snn_engine import Engine, EngineError, process
from snn_engine.library import LIMIT_BYTES, Handle
from snn_engine.process import Process, executable
from snn_kernel.network import GlobalSum, Linear, Network

posix = pytest.mark.skipif(os.name != "posix", reason="signals and Unix sockets are POSIX")
RUN = {"op": "run", "samples": 1, "threads": 1, "spikes": False, "frames": bytes(8)}


def network():
    return Network((Linear("l", np.eye(2, dtype=np.float32), None),), (("input", "l"),), (2,), 1)


def load(network):
    return msgpack.packb({"op": "load", "network": msgpack.unpackb(network.pack())})


def framed(message):
    return len(message).to_bytes(4, "little") + message


def answers(data):
    """The messages in what came back over a stream."""
    found = []
    while data:
        length = int.from_bytes(data[:4], "little")
        found.append(msgpack.unpackb(data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def spoken(data):
    """What `snn-engine serve` makes of `data` on its standard input."""
    return subprocess.run(
        [executable(), "serve"], input=data, capture_output=True, timeout=20, check=False
    )


@given(network=networks())
@settings(max_examples=20)
def test_the_same_answers_as_in_this_process(network):
    x = frames(network, 3, 0)
    with Engine.load(network) as ours, Engine.load(network, isolated=True) as theirs:
        for _ in range(2):
            one, other = (engine.run(x, spikes=True) for engine in (ours, theirs))
            assert one == other
            for name, bits in one.spikes.items():
                np.testing.assert_array_equal(bits, other.spikes[name])


def test_every_reply_is_the_librarys_own():
    requests = [load(network()), msgpack.packb(RUN), b"\x80", b"", msgpack.packb({"op": "dance"})]
    handle, process = Handle(), Process()
    for request in requests:
        assert bytes(process.call(request)) == bytes(handle.call(request))
    handle.close()
    process.close()
    process.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        process.call(b"\x80")


@posix
def test_a_killed_process_is_told():
    engine = Engine.load(network(), isolated=True)
    os.kill(engine._handle._process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"process ended \(killed by SIGKILL\)") as caught:
        engine.run(np.ones((1, 2), np.float32))
    assert caught.value.code == "process"
    with pytest.raises(EngineError, match="closed"):
        engine.run(np.ones((1, 2), np.float32))


@posix
def test_an_interrupted_call_leaves_no_half_answer(monkeypatch):
    """The process that computes is ended, and no later call gets the earlier one's reply."""
    process = Process()

    def interrupted(count):
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        process.call(b"\x80")
    assert process._process.poll() is not None
    with pytest.raises(EngineError, match="closed"):
        process.call(b"\x80")


def test_engines_that_are_let_go_end_their_processes():
    process = Process()
    child = process._process
    del process
    assert child.wait(timeout=10) == 0


def test_a_missing_executable(monkeypatch):
    monkeypatch.setattr(process, "NAMES", ("none",))
    with pytest.raises(EngineError, match="executable is missing"):
        Engine.load(network(), isolated=True)


def test_frames_of_any_length_are_measured_before_they_are_sent():
    """A sample of 4 GiB, whose pages nobody ever touches."""
    layers = (GlobalSum("g", "float64"),)
    large = Network(layers, (("input", "g"),), (1, 4096, 4096), 65, "sequence")
    frames = np.zeros((1, 65, 1, 4096, 4096), np.float32)
    with Engine.load(large, isolated=True) as engine:
        with pytest.raises(EngineError, match="bytes exceeds") as caught:
            engine.run(frames)
        assert caught.value.code == "limit"


def test_too_long_a_request_is_not_sent(monkeypatch):
    monkeypatch.setattr(process, "LIMIT_BYTES", 10)
    mine = Process()
    with pytest.raises(EngineError, match="a request of 11 bytes exceeds 10"):
        mine.call(b"\x80" * 11)
    assert not msgpack.unpackb(mine.call(b"\x80"))["ok"]
    mine.close()


def test_streams_of_several_requests():
    done = spoken(framed(load(network())) + framed(msgpack.packb(RUN)) + framed(b"\xc1"))
    loaded, ran, refused = answers(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert loaded["ok"]
    assert ran["ok"]
    assert refused["code"] == "malformed"


@pytest.mark.parametrize("cut", [1, 3, 4, 5, -1])
def test_truncated_streams(cut):
    whole = framed(load(network()))
    done = spoken(whole + framed(msgpack.packb(RUN))[:cut])
    assert (done.returncode, len(answers(done.stdout))) == (2, 1)
    assert b"the stream ended within a message" in done.stderr


@pytest.mark.parametrize("length", [LIMIT_BYTES + 1, 2**32 - 1])
def test_a_hostile_length_is_refused(length):
    done = spoken(length.to_bytes(4, "little") + b"\x80" * 100)
    (answer,) = answers(done.stdout)
    assert answer == {
        "ok": False,
        "code": "limit",
        "error": f"stream: a request of {length} bytes exceeds {LIMIT_BYTES}",
    }
    assert done.returncode == 2


def spoken_in(memory, data):
    """The same of a process that may have so much memory."""
    pytest.importorskip("resource")
    start = "import os, resource as r, sys; n = int(sys.argv[1]); r.setrlimit(r.RLIMIT_AS, (n, n))"
    start += "; os.execv(sys.argv[2], sys.argv[2:])"
    command = [sys.executable, "-c", start, str(memory), executable(), "serve"]
    return subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)


@posix
def test_a_length_that_is_only_announced_takes_no_memory():
    done = spoken_in(1 << 28, LIMIT_BYTES.to_bytes(4, "little") + b"\x80")
    assert (done.stdout, b"ended within a message" in done.stderr) == (b"", True)


@posix
def test_a_request_beyond_memory_is_answered_and_the_next_one_too():
    done = spoken_in(1 << 27, framed(bytes(1 << 28)) + framed(b"\xc1"))
    assert [answer["code"] for answer in answers(done.stdout)] == ["memory", "malformed"]


@pytest.mark.parametrize("arguments", [[], ["dance"], ["serve", "--port", "1"], ["serve", "x"]])
def test_wrong_arguments(arguments):
    done = subprocess.run([executable(), *arguments], capture_output=True, check=False, timeout=20)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"usage: snn-engine serve [--socket PATH]" in done.stderr


def test_the_installed_command():
    command = shutil.which("snn-engine", path=os.path.dirname(sys.executable))
    assert command, "snn-engine is not installed beside this Python"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "snn-engine, ABI version 1\n"


@posix
class TestSocket:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "s"

    @pytest.fixture
    def server(self, path):
        with self.started(path) as child:
            yield child
            child.kill()

    def started(self, path):
        child = subprocess.Popen(
            [executable(), "serve", "--socket", path], stderr=subprocess.PIPE, text=True
        )
        until = time.monotonic() + 20
        while time.monotonic() < until and child.poll() is None:
            try:
                self.connected(path).close()
            except OSError:
                time.sleep(0.01)
            else:
                break
        return child

    def connected(self, path):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(20)
        made.connect(str(path))
        return made

    def ask(self, connection, message):
        connection.sendall(framed(message))
        stream = connection.makefile("rb")
        return msgpack.unpackb(stream.read(int.from_bytes(stream.read(4), "little")))

    def test_every_connection_has_an_engine_of_its_own(self, server, path):
        with self.connected(path) as one, self.connected(path) as other:
            assert self.ask(one, load(network()))["ok"]
            assert self.ask(other, msgpack.packb(RUN))["code"] == "state"
            assert self.ask(one, msgpack.packb(RUN))["ok"]
        assert path.stat().st_mode & 0o077 & ~0o055 == 0

    def test_what_one_caller_breaks_is_whole_for_the_next(self, server, path):
        with self.connected(path) as one:
            one.sendall(framed(load(network()))[:-3])
        with self.connected(path) as other:
            assert self.ask(other, load(network()))["ok"]

    def test_a_socket_in_use_and_one_left_behind(self, server, path):
        command = [executable(), "serve", "--socket", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert (done.returncode, "somebody listens there" in done.stderr) == (2, True)
        server.kill()
        server.wait()
        assert path.exists()
        with self.started(path) as child, self.connected(path) as one:
            assert self.ask(one, load(network()))["ok"]
            child.kill()

    def test_a_file_in_the_way_stays(self, path):
        path.write_text("mine")
        with self.started(path) as child:
            assert child.wait(timeout=20) == 2
        assert path.read_text() == "mine"

    def test_a_folder_that_is_not_there(self, tmp_path):
        with self.started(tmp_path / "none" / "s") as child:
            assert "none/s: its folder does not exist" in child.communicate(timeout=20)[1]
            assert child.returncode == 2

    def test_too_long_a_path(self, tmp_path):
        with self.started(tmp_path / ("x" * 120)) as child:
            assert "longer than a socket's path" in child.communicate(timeout=20)[1]
            assert child.returncode == 1
