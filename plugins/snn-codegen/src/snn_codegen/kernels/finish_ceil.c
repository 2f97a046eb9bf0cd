/* Rounded up, then clamped. */
static output_t finish_ceil(sum_t sum, const format_t *to)
{
    const sum_t made = (sum_t)-shifted((sum_t)-sum, to->shift);
    return (output_t)(made < to->low ? to->low : made > to->high ? to->high : made);
}
