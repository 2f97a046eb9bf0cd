/* a * 2^-shift, rounded down, which C leaves open for a >> shift of a negative number. */
static sum_t shifted(sum_t a, uint32_t shift)
{
    return a >= 0 ? a >> shift : (sum_t) ~((sum_t)~a >> shift);
}
