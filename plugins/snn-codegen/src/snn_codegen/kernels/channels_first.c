/* A map stored channels last, stored channels first: the order in which a map is flattened. */
static void channels_first(const input_t *x, uint32_t channels, uint32_t pixels, output_t *y)
{
    for (uint32_t c = 0u; c < channels; c++) {
        for (uint32_t p = 0u; p < pixels; p++) {
            y[c * pixels + p] = x[p * channels + c];
        }
    }
}
