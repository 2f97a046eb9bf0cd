/* With `shift` more fraction bits, then clamped; what is clamped anyway might not survive the product. */
static output_t finish_raise(sum_t sum, const format_t *to)
{
    const sum_t most = (sum_t)((sum_t)(to->high >> (to->shift < 31u ? to->shift : 31u)) + 1);
    sum_t made = sum < -most ? (sum_t)-most : sum > most ? most : sum;
    made = (sum_t)(made * (sum_t)((sum_t)1 << to->shift));
    return (output_t)(made < to->low ? to->low : made > to->high ? to->high : made);
}
