/* Rounded up from the half, then clamped: the highest bit dropped is what rounds up. */
static output_t finish_nearest(sum_t sum, const format_t *to)
{
    const sum_t half = shifted(sum, to->shift - 1u);
    const sum_t made = (sum_t)(shifted(half, 1u) + (half & 1));
    return (output_t)(made < to->low ? to->low : made > to->high ? to->high : made);
}
