/* A map stored channels first, stored channels last. */
static void channels_last(const input_t *x, uint32_t channels, uint32_t pixels, output_t *y)
{
    for (uint32_t p = 0u; p < pixels; p++) {
        for (uint32_t c = 0u; c < channels; c++) {
            y[p * channels + c] = x[c * pixels + p];
        }
    }
}
