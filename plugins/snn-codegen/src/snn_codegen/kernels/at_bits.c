/* Element i of spikes. */
static sum_t at_bits(const uint32_t *x, uint32_t i)
{
    return (sum_t)((x[i >> 5] >> (i & 31u)) & 1u);
}
