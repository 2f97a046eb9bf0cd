/* What this timestep adds to the logits. */
static void readout(const input_t *x, uint32_t count, sum_t scale, sum_t *logits)
{
    for (uint32_t i = 0u; i < count; i++) {
        logits[i] = (sum_t)(logits[i] + at(x, i) * scale);
    }
}
