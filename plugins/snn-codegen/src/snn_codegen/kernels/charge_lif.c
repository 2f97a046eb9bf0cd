/* u = v + (x - (v - rest)) / tau */
static sum_t charge_lif(const neuron_t *n, sum_t v, sum_t x)
{
    return v + (n->gain * x - (v - n->rest)) / n->tau;
}
