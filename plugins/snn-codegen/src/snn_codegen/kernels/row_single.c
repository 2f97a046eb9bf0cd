/* To each of `filters` sums, its weight. */
static void row_single(const weight_t *weights, uint32_t filters, sum_t *sums)
{
    for (uint32_t f = 0u; f < filters; f++) {
        sums[f] = (sum_t)(sums[f] + weights[f]);
    }
}
