/* As it is; the bounds of the network say that it fits. */
static output_t finish_keep(sum_t sum, const format_t *to)
{
    (void)to;
    return (output_t)sum;
}
