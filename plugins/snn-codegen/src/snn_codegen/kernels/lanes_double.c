/* How many lanes hold the sums of so many filters: one for two. */
static uint32_t lanes_double(uint32_t filters)
{
    return (filters + 1u) / 2u;
}
