/* What of a window of `output` is within the input. */
static span clipped(uint32_t output, uint32_t stride, uint32_t padding, uint32_t window, uint32_t size)
{
    const uint32_t first = output * stride;
    const uint32_t end = size + padding;
    span made;
    made.from = first < padding ? padding - first : 0u;
    made.to = first + window > end ? (first < end ? end - first : 0u) : window;
    made.start = first + made.from - padding;
    return made;
}
