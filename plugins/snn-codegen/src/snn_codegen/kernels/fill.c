/* Every element the same. */
static void fill(state_t *v, uint32_t count, state_t value)
{
    for (uint32_t i = 0u; i < count; i++) {
        v[i] = value;
    }
}
