/* Convolution, element by element of the input: what is not zero is added to the sums of every pixel
   that sees it. Weights are [group][y][x][channel][filter]; `sums` is room for the whole output,
   one or two filters in a lane. */
static void conv_scatter(const geometry *g, const input_t *x, const weight_t *weights, const sum_t *bias,
                         sum_t scale, lane_t *sums, output_t *y, const format_t *to)
{
    const uint32_t channels = g->channels / g->groups;
    const uint32_t filters = g->filters / g->groups;
    const uint32_t wide = lanes(filters);
    const uint32_t count = g->rows * g->columns * g->groups;
    for (uint32_t i = 0u; i < count * wide; i++) {
        sums[i] = 0;
    }
    for (uint32_t iy = 0u; iy < g->height; iy++) {
        for (uint32_t ix = 0u; ix < g->width; ix++) {
            const uint32_t pixel = (iy * g->width + ix) * g->channels;
            for (uint32_t group = 0u; group < g->groups; group++) {
                const uint32_t from = pixel + group * channels;
                if (!any(x, from, channels)) {
                    continue;
                }
                for (uint32_t ky = 0u; ky < g->window_height; ky++) {
                    const uint32_t oy = iy + g->padding_y - ky;
                    if (iy + g->padding_y < ky || oy % g->stride_y != 0u || oy / g->stride_y >= g->rows) {
                        continue;
                    }
                    for (uint32_t kx = 0u; kx < g->window_width; kx++) {
                        const uint32_t ox = ix + g->padding_x - kx;
                        if (ix + g->padding_x < kx || ox % g->stride_x != 0u ||
                            ox / g->stride_x >= g->columns) {
                            continue;
                        }
                        const uint32_t out = oy / g->stride_y * g->columns + ox / g->stride_x;
                        const uint32_t tap = (group * g->window_height + ky) * g->window_width + kx;
                        sum(x, from, channels, weights + (size_t)tap * channels * wide, wide,
                            sums + (out * g->groups + group) * wide);
                    }
                }
            }
        }
    }
    for (uint32_t i = 0u; i < count; i++) {
        const sum_t *own = bias + i % g->groups * filters;
        for (uint32_t f = 0u; f < filters; f++) {
            *y = finish((sum_t)(lane(sums, f) * scale + own[f]), to);
            y++;
        }
        sums += wide;
    }
}
