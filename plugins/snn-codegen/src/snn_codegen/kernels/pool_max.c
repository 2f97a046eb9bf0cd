/* The largest element of each window; padding never wins. */
static void pool_max(const geometry *g, const input_t *x, output_t *y, const format_t *to)
{
    for (uint32_t oy = 0u; oy < g->rows; oy++) {
        const span ys = clipped(oy, g->stride_y, g->padding_y, g->window_height, g->height);
        for (uint32_t ox = 0u; ox < g->columns; ox++) {
            const span xs = clipped(ox, g->stride_x, g->padding_x, g->window_width, g->width);
            for (uint32_t c = 0u; c < g->channels; c++) {
                sum_t most = at(x, (ys.start * g->width + xs.start) * g->channels + c);
                for (uint32_t iy = ys.start; iy < ys.start + ys.to - ys.from; iy++) {
                    for (uint32_t ix = xs.start; ix < xs.start + xs.to - xs.from; ix++) {
                        const sum_t value = at(x, (iy * g->width + ix) * g->channels + c);
                        most = value > most ? value : most;
                    }
                }
                *y = finish(most, to);
                y++;
            }
        }
    }
}
