/* An average of floating-point numbers. */
static sum_t divided_by(sum_t total, sum_t share)
{
    return total / share;
}
