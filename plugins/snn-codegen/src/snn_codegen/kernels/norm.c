/* Per channel, a product and a sum: a batch normalisation. */
static void norm(const input_t *x, uint32_t pixels, uint32_t channels, sum_t scale, const weight_t *factors,
                 const sum_t *shifts, output_t *y, const format_t *to)
{
    for (uint32_t p = 0u; p < pixels; p++) {
        for (uint32_t c = 0u; c < channels; c++) {
            const sum_t value = (sum_t)(at(x, p * channels + c) * scale);
            const sum_t product = (sum_t)(value * (sum_t)factors[c]);
            y[p * channels + c] = finish((sum_t)(product + shifts[c]), to);
        }
    }
}
