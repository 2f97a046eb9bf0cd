/* The index of the lowest bit that is set; one is. */
static uint32_t first_bit(uint32_t word)
{
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzl(word);
#else
    uint32_t index = 0u;
    while ((word & 0xffu) == 0u) {
        word >>= 8;
        index += 8u;
    }
    while ((word & 1u) == 0u) {
        word >>= 1;
        index += 1u;
    }
    return index;
#endif
}
