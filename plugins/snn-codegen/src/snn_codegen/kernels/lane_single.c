/* The sum of filter f. */
static sum_t lane_single(const sum_t *sums, uint32_t f)
{
    return sums[f];
}
