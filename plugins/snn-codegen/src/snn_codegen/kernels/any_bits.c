/* Whether there are spikes among `count` elements from `from` on. */
static bool any_bits(const uint32_t *x, uint32_t from, uint32_t count)
{
    uint32_t i = from;
    const uint32_t to = from + count;
    while (i < to) {
        const uint32_t base = i & ~(uint32_t)31;
        uint32_t word = x[i >> 5] & (0xffffffffu << (i & 31u));
        if (to - base < 32u) {
            word &= ((uint32_t)1 << (to - base)) - 1u;
        }
        if (word != 0u) {
            return true;
        }
        i = base + 32u;
    }
    return false;
}
