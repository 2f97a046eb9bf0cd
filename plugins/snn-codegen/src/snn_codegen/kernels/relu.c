/* Each element times `scale`, or zero if that is negative. */
static void relu(const input_t *x, uint32_t count, sum_t scale, output_t *y, const format_t *to)
{
    for (uint32_t i = 0u; i < count; i++) {
        const sum_t value = (sum_t)(at(x, i) * scale);
        y[i] = finish(value > 0 ? value : 0, to);
    }
}
