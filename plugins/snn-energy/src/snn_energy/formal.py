"""Counts per inference of a layer of a formal (non-spiking) network, equation by equation.

Lemaire et al., ICONIP 2022, as spiking.py; groups divide the input channels that an output sees.
"""

from __future__ import annotations

from snn_energy.layers import Described, Synapses


def conv_products(layer: Described, s: Synapses) -> float:
    """Cin · Cout · Hout · Wout · Wkernel · Hkernel: input reads (Eq. 3), weight reads (Eq. 6.1f)
    and multiply-accumulates (Eq. 1.1) alike."""
    return (s.cin // s.groups) * layer.elements_out * s.positions


def conv_bias_reads(layer: Described, s: Synapses) -> float:
    """Eq. 6.1s: Cout · Wout · Hout, 0 without bias."""
    return layer.elements_out if s.bias else 0


def conv_output_writes(layer: Described) -> float:
    """Eq. 11: Cout · Hout · Wout."""
    return layer.elements_out


def conv_accs(layer: Described) -> float:
    """Eq. 1.2, the bias: Cout · Hout · Wout."""
    return layer.elements_out


def conv_addr_accs(layer: Described, s: Synapses) -> float:
    """Cin · Hin · Win + Cout · Hout · Wout + Cout · Hkernel · Wkernel."""
    return layer.elements_in + layer.elements_out + s.cout * s.positions


def fc_input_reads(s: Synapses) -> float:
    """Eq. 4: Nin."""
    return s.cin


def fc_products(s: Synapses) -> float:
    """Nin · Nout: weight reads (Eq. 6.2f) and multiply-accumulates (Eq. 2.1) alike."""
    return s.cin * s.cout


def fc_bias_reads(s: Synapses) -> float:
    """Eq. 6.2s: Nout, 0 without bias."""
    return s.cout if s.bias else 0


def fc_output_writes(s: Synapses) -> float:
    """Eq. 12: Nout."""
    return s.cout


def fc_accs(s: Synapses) -> float:
    """Eq. 2.2, the bias: Nout."""
    return s.cout


def fc_addr_accs(s: Synapses) -> float:
    """Nin · Nout."""
    return s.cin * s.cout


def add_input_reads(layer: Described) -> float:
    """Every element of every input."""
    return layer.summands * layer.elements_in


def add_output_writes(layer: Described) -> float:
    """Nout."""
    return layer.elements_out


def add_accs(layer: Described) -> float:
    """(inputs - 1) · Nout."""
    return (layer.summands - 1) * layer.elements_out


def add_addr_accs(layer: Described) -> float:
    """Nin of one input: all are read at the same place."""
    return layer.elements_in
