/* After a spike, the reset value. */
static sum_t reset_value(const neuron_t *n, sum_t u)
{
    (void)u;
    return n->value;
}
