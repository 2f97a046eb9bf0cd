/* Whether there is a spike in each window. */
static void pool_any(const geometry *g, const uint32_t *x, uint32_t *y)
{
    uint32_t made = 0u;
    uint32_t word = 0u;
    for (uint32_t oy = 0u; oy < g->rows; oy++) {
        const span ys = clipped(oy, g->stride_y, g->padding_y, g->window_height, g->height);
        for (uint32_t ox = 0u; ox < g->columns; ox++) {
            const span xs = clipped(ox, g->stride_x, g->padding_x, g->window_width, g->width);
            for (uint32_t c = 0u; c < g->channels; c++) {
                for (uint32_t iy = ys.start; iy < ys.start + ys.to - ys.from; iy++) {
                    for (uint32_t ix = xs.start; ix < xs.start + xs.to - xs.from; ix++) {
                        const uint32_t i = (iy * g->width + ix) * g->channels + c;
                        word |= ((x[i >> 5] >> (i & 31u)) & 1u) << (made & 31u);
                    }
                }
                made++;
                if ((made & 31u) == 0u) {
                    y[(made >> 5) - 1u] = word;
                    word = 0u;
                }
            }
        }
    }
    if ((made & 31u) != 0u) {
        y[made >> 5] = word;
    }
}
