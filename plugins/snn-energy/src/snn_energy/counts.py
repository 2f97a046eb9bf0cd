"""How often one inference reads, writes, adds and multiplies in a layer."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs import frozen

from snn_energy import formal, spiking
from snn_energy.layers import Described, Synapses


@frozen
class Counts:
    """Averages per inference; `muls` are multiplications without an addition of their own."""

    input_reads: float = 0
    weight_reads: float = 0
    bias_reads: float = 0
    potential_reads: float = 0
    potential_writes: float = 0
    output_writes: float = 0
    macs: float = 0
    muls: float = 0
    accs: float = 0
    addr_macs: float = 0
    addr_accs: float = 0

    @classmethod
    def total(cls, counts: Iterable[Counts]) -> Counts:
        """The sum, count by count."""
        rows = [attrs.astuple(c) for c in counts]
        return cls(*(sum(column) for column in zip(*rows, strict=True)))


def count(layer: Described) -> Counts:
    """Everything `layer` does; nothing for pooling, batch norm, reshaping and, where neurons are,
    for additions, whose spikes the next layer takes in one by one."""
    if layer.synapses is None:
        return _add(layer) if layer.summands and not layer.spiking else Counts()
    if not layer.spiking:
        return (_formal_conv if layer.synapses.kind == "conv" else _formal_fc)(
            layer, layer.synapses
        )
    if layer.synapses.kind == "conv":
        counted = _conv(layer, layer.synapses, layer.input.count)
    else:
        counted = _fc(layer, layer.synapses, layer.input.count)
    return counted if layer.input.binary else _hybrid(layer, layer.synapses, counted)


def _conv(layer: Described, s: Synapses, spikes: float) -> Counts:
    return Counts(
        input_reads=spiking.input_reads(spikes),
        weight_reads=spiking.conv_weight_reads(s, spikes),
        bias_reads=spiking.conv_bias_reads(layer, s),
        potential_reads=spiking.conv_potential_reads(layer, s, spikes),
        potential_writes=spiking.conv_potential_writes(layer, s, spikes),
        output_writes=spiking.output_writes(layer),
        macs=spiking.conv_macs(layer),
        accs=spiking.conv_accs(layer, s, spikes),
        addr_macs=spiking.conv_addr_macs(spikes),
        addr_accs=spiking.conv_addr_accs(s, spikes),
    )


def _fc(layer: Described, s: Synapses, spikes: float) -> Counts:
    return Counts(
        input_reads=spiking.input_reads(spikes),
        weight_reads=spiking.fc_weight_reads(s, spikes),
        bias_reads=spiking.fc_bias_reads(layer, s),
        potential_reads=spiking.fc_potential_reads(layer, s, spikes),
        potential_writes=spiking.fc_potential_writes(layer, s, spikes),
        output_writes=spiking.output_writes(layer),
        macs=spiking.fc_macs(layer, s),
        accs=spiking.fc_accs(layer, s, spikes),
        addr_macs=spiking.fc_addr_macs(),
        addr_accs=spiking.fc_addr_accs(s, spikes),
    )


def _hybrid(layer: Described, s: Synapses, counted: Counts) -> Counts:
    """Numbers for spikes: they are read, weighted and addressed once, as one input that is shown at
    every timestep, while potentials, biases and output spikes go on as `counted`."""
    step = layer.input.step
    if s.kind == "conv":
        once, products = _conv(layer, s, step), formal.conv_products(layer, s)
    else:
        once, products = _fc(layer, s, step), formal.fc_products(s)
    return attrs.evolve(
        counted,
        input_reads=once.input_reads,
        weight_reads=once.weight_reads,
        addr_macs=once.addr_macs,
        addr_accs=once.addr_accs,
        macs=products * layer.input.rate,
        muls=layer.elements_out if layer.leak else 0,
        accs=layer.elements_out + layer.spikes_out,
    )


def _formal_conv(layer: Described, s: Synapses) -> Counts:
    products = formal.conv_products(layer, s)
    return Counts(
        input_reads=products,
        weight_reads=products,
        bias_reads=formal.conv_bias_reads(layer, s),
        output_writes=formal.conv_output_writes(layer),
        macs=products,
        accs=formal.conv_accs(layer),
        addr_accs=formal.conv_addr_accs(layer, s),
    )


def _formal_fc(layer: Described, s: Synapses) -> Counts:
    products = formal.fc_products(s)
    return Counts(
        input_reads=formal.fc_input_reads(s),
        weight_reads=products,
        bias_reads=formal.fc_bias_reads(s),
        output_writes=formal.fc_output_writes(s),
        macs=products,
        accs=formal.fc_accs(s),
        addr_accs=formal.fc_addr_accs(s),
    )


def _add(layer: Described) -> Counts:
    return Counts(
        input_reads=formal.add_input_reads(layer),
        output_writes=formal.add_output_writes(layer),
        accs=formal.add_accs(layer),
        addr_accs=formal.add_addr_accs(layer),
    )
