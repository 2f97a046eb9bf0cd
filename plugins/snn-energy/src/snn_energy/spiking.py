"""Counts per inference of a spiking layer, equation by equation.

Lemaire et al., An Analytical Estimation of Spiking Neural Networks Energy Efficiency, ICONIP 2022;
the equations' numbers are those of the paper. θ is how many spikes come in in one inference; a
hybrid layer (see counts) hands in other numbers. Each spike reaches Cout / groups channels.
"""

from __future__ import annotations

from snn_energy.layers import Described, Synapses


def input_reads(spikes: float) -> float:
    """Eq. 5: θ(l-1)."""
    return spikes


def conv_weight_reads(s: Synapses, spikes: float) -> float:
    """Eq. 7f: θ(l-1) · Cout · Wkernel · Hkernel."""
    return spikes * (s.cout / s.groups) * s.positions


def fc_weight_reads(s: Synapses, spikes: float) -> float:
    """Eq. 8f: θ(l-1) · Nout."""
    return spikes * s.cout


def conv_bias_reads(layer: Described, s: Synapses) -> float:
    """Eq. 7s, every timestep: T · Cout · Wout · Hout, 0 without bias."""
    return layer.timesteps * layer.elements_out if s.bias else 0


def fc_bias_reads(layer: Described, s: Synapses) -> float:
    """Eq. 6.2s, every timestep: T · Nout, 0 without bias."""
    return layer.timesteps * s.cout if s.bias else 0


def conv_potential_reads(layer: Described, s: Synapses, spikes: float) -> float:
    """Eq. 9: θ(l-1) · Cout · Wkernel · Hkernel + T · Cout · Hout · Wout."""
    return spikes * (s.cout / s.groups) * s.positions + layer.timesteps * layer.elements_out


def fc_potential_reads(layer: Described, s: Synapses, spikes: float) -> float:
    """Eq. 10: θ(l-1) · Nout + T · Nout."""
    return spikes * s.cout + layer.timesteps * s.cout


def conv_potential_writes(layer: Described, s: Synapses, spikes: float) -> float:
    """Eq. 14: θ(l-1) · Cout · Wkernel · Hkernel + T · Cout · Hout · Wout."""
    return spikes * (s.cout / s.groups) * s.positions + layer.timesteps * layer.elements_out


def fc_potential_writes(layer: Described, s: Synapses, spikes: float) -> float:
    """Eq. 15: θ(l-1) · Nout + T · Nout."""
    return spikes * s.cout + layer.timesteps * s.cout


def output_writes(layer: Described) -> float:
    """Eq. 13: θ(l)."""
    return layer.spikes_out


def conv_macs(layer: Described) -> float:
    """Eq. 1.3, the leak: T · Cout · Hout · Wout, 0 without leak."""
    return layer.timesteps * layer.elements_out if layer.leak else 0


def conv_accs(layer: Described, s: Synapses, spikes: float) -> float:
    """Eq. 1.4: θ(l-1) · ceil(Hk / S) · ceil(Wk / S) · Cout + T · Cout · Hout · Wout + θ(l).

    One addition per weight, the bias or potential of every timestep, one reset per output spike.
    """
    synaptic = spikes * s.strided * (s.cout / s.groups)
    return synaptic + layer.timesteps * layer.elements_out + layer.spikes_out


def fc_macs(layer: Described, s: Synapses) -> float:
    """Eq. 2.3, the leak: T · Nout, 0 without leak."""
    return layer.timesteps * s.cout if layer.leak else 0


def fc_accs(layer: Described, s: Synapses, spikes: float) -> float:
    """Eq. 2.4 as corrected by its authors: θ(l-1) · Nout + T · Nout + θ(l).

    The paper counts every spike Nin times and leaves the resets θ(l) out.
    """
    return spikes * s.cout + layer.timesteps * s.cout + layer.spikes_out


def conv_addr_macs(spikes: float) -> float:
    """Eq. 16.2: 2 · θ(l-1), the row and the column of every spike."""
    return 2 * spikes


def conv_addr_accs(s: Synapses, spikes: float) -> float:
    """Eq. 16.3: θ(l-1) · Cout · Hkernel · Wkernel."""
    return spikes * (s.cout / s.groups) * s.positions


def fc_addr_macs() -> float:
    """Eq. 17.1: none."""
    return 0


def fc_addr_accs(s: Synapses, spikes: float) -> float:
    """Eq. 17.2: θ(l-1) · Nout."""
    return spikes * s.cout
