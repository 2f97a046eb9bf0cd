/* Each element times `scale`, put into another format. */
static void rescale(const input_t *x, uint32_t count, sum_t scale, output_t *y, const format_t *to)
{
    for (uint32_t i = 0u; i < count; i++) {
        y[i] = finish((sum_t)(at(x, i) * scale), to);
    }
}
