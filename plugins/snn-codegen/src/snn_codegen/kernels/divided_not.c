/* A sum is not shared out; an average of integers is multiplied instead. */
static sum_t divided_not(sum_t total, sum_t share)
{
    (void)share;
    return total;
}
