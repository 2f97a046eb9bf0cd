/* To each of `filters` sums, its weights of the spikes among `count` elements from `from` on. Weights
   are [element][filter]. */
static void sum_bits(const uint32_t *x, uint32_t from, uint32_t count, const weight_t *weights,
                     uint32_t filters, sum_t *sums)
{
    uint32_t i = from;
    const uint32_t to = from + count;
    while (i < to) {
        const uint32_t base = i & ~(uint32_t)31;
        uint32_t word = x[i >> 5] & (0xffffffffu << (i & 31u));
        if (to - base < 32u) {
            word &= ((uint32_t)1 << (to - base)) - 1u;
        }
        while (word != 0u) {
            row(weights + (size_t)(base + first_bit(word) - from) * filters, filters, sums);
            word &= word - 1u;
        }
        i = base + 32u;
    }
}
