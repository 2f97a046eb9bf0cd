/* After a spike, the threshold less. */
static sum_t reset_subtract(const neuron_t *n, sum_t u)
{
    return (sum_t)(u - n->threshold);
}
