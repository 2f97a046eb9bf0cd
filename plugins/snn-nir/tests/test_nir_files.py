"""Files that are no graphs: whatever they hold, one DataError that says so."""

from __future__ import annotations

import contextlib
import io
import itertools
import shutil

import h5py
import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_kernel import DataError
from snn_kernel.network import INPUT, Conv, Flatten, Linear, Network, Neuron
from snn_nir import graphfile
from snn_nir.export import graph
from snn_nir.graphfile import read, write
from snn_nir.reading import Reading, network

LAYERS = (
    Conv("conv", np.ones((2, 1, 2, 2), np.float32), None, (1, 1), (0, 0)),
    Neuron("neuron", 1.0, charge="lif", tau=2.0, payload=0.5),
    Flatten("flatten"),
    Linear("linear", np.ones((2, 8), np.float32), np.zeros(2, np.float32)),
)
NAMES = (INPUT, "conv", "neuron", "flatten", "linear")
WRITTEN = Network(LAYERS, tuple(itertools.pairwise(NAMES)), (1, 3, 3), 4)


@pytest.fixture(scope="module")
def sound():
    file = io.BytesIO()
    nir.write(file, graph(WRITTEN))
    return file.getvalue()


def outcome(path, data, own=True):
    """The networks of a file with these bytes, or the one thing that is told of it."""
    path.write_bytes(data)
    try:
        found = read(path, own)
        return [network(found, Reading(plain=plain)) for plain in (False, True)]
    except DataError as error:
        return [error, error]


def test_files_that_end_too_early(tmp_path, sound):
    path = tmp_path / "cut.nir"
    for end in range(0, len(sound), 100):
        found, _ = outcome(path, sound[:end])
        assert isinstance(found, DataError)
        assert "cut.nir" in str(found)
    assert outcome(path, sound)[0] == WRITTEN


def test_files_with_damage(tmp_path, sound):
    """Bytes changed here and there: a network that keeps its own laws, or a DataError."""
    path = tmp_path / "damaged.nir"
    rng = np.random.default_rng(7)
    seen = set()
    for _ in range(30):
        data = bytearray(sound)
        for at in rng.integers(0, len(data), rng.integers(1, 12)):
            data[at] = rng.integers(256)
        seen |= {type(found) for found in outcome(path, bytes(data), own=False)}
    assert seen == {Network, DataError}


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=100)
def test_bytes_that_are_no_file(tmp_path_factory, data, signed):
    head = b"\x89HDF\r\n\x1a\n" if signed else b""
    found, _ = outcome(tmp_path_factory.mktemp("bytes") / "x.nir", head + data)
    assert isinstance(found, DataError)


def test_a_file_in_which_hdf5_finds_no_end(tmp_path, sound, monkeypatch):
    """And one that kills it: what tries files out is another process."""
    path = tmp_path / "endless.nir"
    path.write_bytes(sound)
    monkeypatch.setattr(graphfile, "PATIENCE_S", 0.001)
    with pytest.raises(DataError, match=r"endless.nir: is damaged: HDF5 found no end in 0.001 s"):
        read(path)
    monkeypatch.setattr(graphfile, "PATIENCE_S", 60.0)
    monkeypatch.setattr(graphfile.sys, "executable", shutil.which("false"))
    with pytest.raises(DataError, match=r"endless.nir: is damaged: HDF5 ended with status 1"):
        read(path)


ODD = (
    *(None, "x", -1, 1 << 40, 1.5, np.nan, {}, {"snn_kernel": {"version": 1}}, True),
    *(np.zeros(0), np.array(["a"], object), np.array([[1.5]]), np.zeros((2, 2, 2)), np.array(3)),
)


def test_fields_that_are_not_what_they_should_be():
    """Sound files of whatever values: a network, or a DataError."""
    types = {"input_type", "output_type"}  # which the package makes of shapes
    names = {name: vars(node).keys() - types for name, node in graph(WRITTEN).nodes.items()}
    refused = 0
    for name, field, value in (
        (n, f, v) for n, fields in names.items() for f in fields for v in ODD
    ):
        made = graph(WRITTEN)
        setattr(made.nodes[name], field, value)
        for plain in (False, True):
            try:
                network(made, Reading(plain=plain))
            except DataError:
                refused += 1
    for value in ODD:
        made = graph(WRITTEN)
        made.nodes[INPUT].input_type = {"input": value}
        with pytest.raises(DataError):
            network(made)
    for key, value in itertools.product(graph(WRITTEN).metadata["snn_kernel"], ODD):
        made = graph(WRITTEN)
        made.metadata["snn_kernel"][key] = value
        with contextlib.suppress(DataError):
            network(made)
    for (name, node), value in itertools.product(graph(WRITTEN).nodes.items(), ODD):
        for key in node.metadata.get("snn_kernel", ()):
            made = graph(WRITTEN)
            made.nodes[name].metadata["snn_kernel"][key] = value
            with contextlib.suppress(DataError):
                network(made)
    assert refused > 300


def filled(path, fill):
    """An HDF5 file whose group "node" holds what `fill` puts there."""
    with h5py.File(path, "w") as file:
        fill(file.create_group("node"))
    return path


def node(group, name, kind, **values):
    made = group.create_group(name)
    for key, value in {"type": kind, **values}.items():
        made[key] = value
    return made


def graph_of(group, **nodes):
    group["type"] = "NIRGraph"
    group.create_dataset("edges", data=np.array([["a", "b"]], object), dtype=h5py.string_dtype())
    inside = group.create_group("nodes")
    for name, (kind, values) in nodes.items():
        node(inside, name, kind, **values)


@pytest.mark.parametrize(
    ("fill", "what"),
    [
        (lambda g: None, "it has no type"),
        (lambda g: g.create_dataset("type", data=3), "it has no type"),
        (lambda g: node(g.parent, "other", "x"), "it has no type"),
        (graph_of, "is a graph without nodes"),
        (lambda g: graph_of(g, a=("Spiker", {})), r"node 'a' \(Spiker\).*NIR has no such node"),
        (
            lambda g: graph_of(g, a=("Affine", {})),
            r"node 'a' \(Affine\): is damaged, or of a later",
        ),
        (lambda g: graph_of(g, a=("LIF", {"tau": 1})), r"node 'a' \(LIF\): is damaged"),
        (lambda g: g.update({"type": "Scale", "scale": [1.0]}), "holds a Scale, no graph"),
    ],
)
def test_files_that_hold_no_graph(tmp_path, fill, what):
    with pytest.raises(DataError, match=what):
        read(filled(tmp_path / "x.nir", fill))


def test_faults_of_all_nodes_are_told_at_once(tmp_path):
    path = filled(tmp_path / "x.nir", lambda g: graph_of(g, a=("A", {}), b=("B", {})))
    with pytest.raises(DataError) as caught:
        read(path)
    assert len(caught.value.faults) == 2


def test_nothing_of_other_files_is_read(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(64))

    def soft(group):
        group["type"] = h5py.SoftLink("/elsewhere")

    def outer(group):
        group["type"] = h5py.ExternalLink("other.h5", "/type")

    def stored(group):
        group.create_dataset("r", (8,), "f8", external=[(str(tmp_path / "secret"), 0, 64)])

    for fill, what in ((soft, "link"), (outer, "link"), (stored, "no array in this file")):
        with pytest.raises(DataError, match=what):
            read(filled(tmp_path / "x.nir", fill))


def test_sizes_are_known_before_anything_is_read(tmp_path, monkeypatch):
    def huge(group):  # a few bytes in the file, a terabyte when read
        group.create_dataset("weight", (1 << 20, 1 << 17), "f8", chunks=(1024, 1024))

    with pytest.raises(DataError, match=f"has more than {graphfile.BYTES_MAX} bytes"):
        read(filled(tmp_path / "x.nir", huge))

    def names(group):
        group.create_dataset("edges", (1 << 20, 2), h5py.string_dtype())

    with pytest.raises(DataError, match="texts, more than"):
        read(filled(tmp_path / "x.nir", names))

    def deep(group):
        for _ in range(graphfile.DEPTH_MAX + 2):
            group = group.create_group("node")

    with pytest.raises(DataError, match=f"more than {graphfile.DEPTH_MAX} deep"):
        read(filled(tmp_path / "x.nir", deep))

    def endless(group):
        group["node"] = group

    with pytest.raises(DataError, match=f"more than {graphfile.DEPTH_MAX} deep"):
        read(filled(tmp_path / "x.nir", endless))
    monkeypatch.setattr(graphfile, "BYTES_MAX", 100)
    with pytest.raises(DataError, match="more than the 100 that are read"):
        read(tmp_path / "x.nir")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read(tmp_path / "absent.nir")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write(tmp_path / "graph.nir", graph(WRITTEN))
    before = path.read_bytes()
    made = graph(WRITTEN)
    made.nodes["conv"].weight = object()
    with pytest.raises(TypeError):
        write(path, made)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["graph.nir"]
