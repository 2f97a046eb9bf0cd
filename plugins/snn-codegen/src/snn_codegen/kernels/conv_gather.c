/* Convolution, pixel by pixel of the output: the weights of what is not zero in the pixel's window are
   added. Weights are [group][y][x][channel][filter]; `sums` is room for the filters of
   one group, one or two of them in a lane. */
static void conv_gather(const geometry *g, const input_t *x, const weight_t *weights, const sum_t *bias,
                        sum_t scale, lane_t *sums, output_t *y, const format_t *to)
{
    const uint32_t channels = g->channels / g->groups;
    const uint32_t filters = g->filters / g->groups;
    const uint32_t wide = lanes(filters);
    const size_t row = (size_t)g->window_width * (size_t)channels * (size_t)wide;
    for (uint32_t oy = 0u; oy < g->rows; oy++) {
        const span ys = clipped(oy, g->stride_y, g->padding_y, g->window_height, g->height);
        for (uint32_t ox = 0u; ox < g->columns; ox++) {
            const span xs = clipped(ox, g->stride_x, g->padding_x, g->window_width, g->width);
            for (uint32_t group = 0u; group < g->groups; group++) {
                const weight_t *own = weights + group * g->window_height * row;
                for (uint32_t l = 0u; l < wide; l++) {
                    sums[l] = 0;
                }
                for (uint32_t ky = ys.from; ky < ys.to; ky++) {
                    const uint32_t pixel = (ys.start + ky - ys.from) * g->width + xs.start;
                    const weight_t *line = own + ky * row;
                    if (g->groups == 1u) { /* a line of the window is one run of elements */
                        sum(x, pixel * channels, xs.to > xs.from ? (xs.to - xs.from) * channels : 0u,
                            line + (size_t)xs.from * channels * wide, wide, sums);
                        continue;
                    }
                    for (uint32_t kx = xs.from; kx < xs.to; kx++) {
                        sum(x, (pixel + kx - xs.from) * g->channels + group * channels, channels,
                            line + (size_t)kx * channels * wide, wide, sums);
                    }
                }
                for (uint32_t f = 0u; f < filters; f++) {
                    *y = finish((sum_t)(lane(sums, f) * scale + bias[group * filters + f]), to);
                    y++;
                }
            }
        }
    }
}
