/* How many lanes hold the sums of so many filters: each its own. */
static uint32_t lanes_single(uint32_t filters)
{
    return filters;
}
