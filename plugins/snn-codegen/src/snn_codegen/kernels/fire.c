/* One timestep of a population: charge, fire, reset, and round the potential once. */
static void fire(const neuron_t *n, const input_t *x, uint32_t count, state_t *v, uint32_t *spikes,
                 const format_t *to)
{
    for (uint32_t base = 0u; base < count; base += 32u) {
        const uint32_t end = count - base < 32u ? count - base : 32u;
        uint32_t word = 0u;
        for (uint32_t bit = 0u; bit < end; bit++) {
            const uint32_t i = base + bit;
            sum_t u = charge(n, (sum_t)v[i], at(x, i));
            if (u >= n->threshold) {
                word |= (uint32_t)1 << bit;
                u = reset(n, u);
            }
            v[i] = finish(u, to);
        }
        spikes[base >> 5] = word;
    }
}
