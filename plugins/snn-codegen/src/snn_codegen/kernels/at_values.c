/* Element i of values. */
static sum_t at_values(const input_t *x, uint32_t i)
{
    return (sum_t)x[i];
}
