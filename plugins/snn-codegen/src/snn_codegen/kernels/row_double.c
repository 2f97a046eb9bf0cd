/* To each of so many lanes, its weights. Four are read before four are written, which a compiler that
   knows nothing of what the two arrays share would not dare. */
static void row_double(const sum_t *weights, uint32_t lanes, sum_t *sums)
{
    const sum_t *const end = sums + lanes;
    for (; end - sums >= 4; sums += 4, weights += 4) {
        const sum_t first = sums[0] + weights[0], second = sums[1] + weights[1];
        const sum_t third = sums[2] + weights[2], fourth = sums[3] + weights[3];
        sums[0] = first;
        sums[1] = second;
        sums[2] = third;
        sums[3] = fourth;
    }
    for (; sums < end; sums++, weights++) {
        *sums += *weights;
    }
}
