/* Whether one of `count` elements from `from` on is not zero. */
static bool any_values(const input_t *x, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++) {
        if (x[i] > 0 || x[i] < 0) {
            return true;
        }
    }
    return false;
}
