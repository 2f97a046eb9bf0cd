/* Convolution, element by element of the output, each the sum over its whole window. Weights are
   [filter][y][x][channel]. */
static void conv_dense(const geometry *g, const input_t *x, const weight_t *weights, const sum_t *bias,
                       sum_t scale, output_t *y, const format_t *to)
{
    const uint32_t channels = g->channels / g->groups;
    const uint32_t filters = g->filters / g->groups;
    const size_t row = (size_t)g->window_width * (size_t)channels;
    for (uint32_t oy = 0u; oy < g->rows; oy++) {
        const span ys = clipped(oy, g->stride_y, g->padding_y, g->window_height, g->height);
        for (uint32_t ox = 0u; ox < g->columns; ox++) {
            const span xs = clipped(ox, g->stride_x, g->padding_x, g->window_width, g->width);
            for (uint32_t f = 0u; f < g->filters; f++) {
                const weight_t *own = weights + f * g->window_height * row;
                const uint32_t first = f / filters * channels;
                sum_t total = 0;
                for (uint32_t ky = ys.from; ky < ys.to; ky++) {
                    const uint32_t line = (ys.start + ky - ys.from) * g->width;
                    for (uint32_t kx = xs.from; kx < xs.to; kx++) {
                        const uint32_t i = (line + xs.start + kx - xs.from) * g->channels + first;
                        const weight_t *tap = own + ky * row + (size_t)kx * channels;
                        for (uint32_t c = 0u; c < channels; c++) {
                            total = (sum_t)(total + (sum_t)tap[c] * at(x, i + c));
                        }
                    }
                }
                *y = finish((sum_t)(total * scale + bias[f]), to);
                y++;
            }
        }
    }
}
