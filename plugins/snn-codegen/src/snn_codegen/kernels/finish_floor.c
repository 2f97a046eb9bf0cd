/* Rounded down, then clamped. */
static output_t finish_floor(sum_t sum, const format_t *to)
{
    const sum_t made = shifted(sum, to->shift);
    return (output_t)(made < to->low ? to->low : made > to->high ? to->high : made);
}
