/* u = (decay * v + gain * x) + bias */
static sum_t charge_normal(const neuron_t *n, sum_t v, sum_t x)
{
    return (sum_t)((sum_t)(n->decay * v + n->gain * x) + n->bias);
}
