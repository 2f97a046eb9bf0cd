/* The sum of each window, times `scale`, by `share`; padding counts as zero. */
static void pool_sum(const geometry *g, const input_t *x, sum_t scale, sum_t share, output_t *y,
                     const format_t *to)
{
    for (uint32_t oy = 0u; oy < g->rows; oy++) {
        const span ys = clipped(oy, g->stride_y, g->padding_y, g->window_height, g->height);
        for (uint32_t ox = 0u; ox < g->columns; ox++) {
            const span xs = clipped(ox, g->stride_x, g->padding_x, g->window_width, g->width);
            for (uint32_t c = 0u; c < g->channels; c++) {
                sum_t total = 0;
                for (uint32_t ky = ys.from; ky < ys.to; ky++) {
                    for (uint32_t kx = xs.from; kx < xs.to; kx++) {
                        const uint32_t pixel = (ys.start + ky - ys.from) * g->width + xs.start + kx - xs.from;
                        total = (sum_t)(total + at(x, pixel * g->channels + c));
                    }
                }
                *y = finish(divided((sum_t)(total * scale), share), to);
                y++;
            }
        }
    }
}
