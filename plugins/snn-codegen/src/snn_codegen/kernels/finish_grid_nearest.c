/* The number on a grid, rounded up from the half and clamped. */
static output_t finish_grid_nearest(sum_t sum, const format_t *to)
{
    const double units = (double)(float)sum * to->per_unit;
    const double within = (units < to->low ? to->low : units > to->high ? to->high : units) + 0.5;
    const double whole = (double)(int64_t)within;
    return (output_t)((whole > within ? whole - 1.0 : whole) * to->unit);
}
