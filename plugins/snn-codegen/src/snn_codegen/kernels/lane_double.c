/* The sum of filter f, of two that are one number, low + 2^16 * high, modulo 2^32: both of 16 bits, so
   that one addition adds to each what it should. */
static sum_t lane_double(const lane_t *sums, uint32_t f)
{
    const uint32_t both = sums[f / 2u];
    const int32_t low = (int32_t)((both & 0xffffu) ^ 0x8000u) - 0x8000;
    const uint32_t high = (both - (uint32_t)low) >> 16;
    return (sum_t)(f % 2u == 0u ? low : (int32_t)(high ^ 0x8000u) - 0x8000);
}
