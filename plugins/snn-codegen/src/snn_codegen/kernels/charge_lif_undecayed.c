/* u = v - (v - rest) / tau + x */
static sum_t charge_lif_undecayed(const neuron_t *n, sum_t v, sum_t x)
{
    return (v - (v - n->rest) / n->tau) + n->gain * x;
}
