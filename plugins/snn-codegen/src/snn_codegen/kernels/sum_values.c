/* To each of `filters` sums, weight times value of those of `count` elements from `from` on that are not
   zero. Weights are [element][filter]. */
static void sum_values(const input_t *x, uint32_t from, uint32_t count, const weight_t *weights,
                       uint32_t filters, sum_t *sums)
{
    for (uint32_t i = 0u; i < count; i++) {
        const sum_t value = (sum_t)x[from + i];
        const weight_t *row = weights + (size_t)i * filters;
        if (value > 0 || value < 0) {
            for (uint32_t f = 0u; f < filters; f++) {
                sums[f] = (sum_t)(sums[f] + value * (sum_t)row[f]);
            }
        }
    }
}
