/* The sum of two maps, each times what brings it to one grid. */
static void add(const first_t *x, sum_t first, const input_t *z, sum_t second, uint32_t count, output_t *y,
                const format_t *to)
{
    for (uint32_t i = 0u; i < count; i++) {
        const sum_t one = (sum_t)(at_first(x, i) * first);
        const sum_t other = (sum_t)(at(z, i) * second);
        y[i] = finish((sum_t)(one + other), to);
    }
}
