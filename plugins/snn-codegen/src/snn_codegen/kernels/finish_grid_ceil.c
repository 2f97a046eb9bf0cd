/* The number on a grid, rounded up and clamped. */
static output_t finish_grid_ceil(sum_t sum, const format_t *to)
{
    const double units = (double)(float)sum * to->per_unit;
    const double within = units < to->low ? to->low : units > to->high ? to->high : units;
    const double whole = (double)(int64_t)within;
    return (output_t)((whole < within ? whole + 1.0 : whole) * to->unit);
}
