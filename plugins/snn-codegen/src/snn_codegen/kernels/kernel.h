/* What the kernels in this folder stand on. A generated file contains this text first, then the kernels
   that its network needs, each with the placeholders below replaced by the types of one layer:

     input_t   elements of what a layer reads; spikes are bits in words of uint32_t, the first lowest
     weight_t  elements of a table of weights
     sum_t     what sums are formed in, lane_t what they are gathered in
     output_t  elements of what a layer puts out, state_t of its membrane potentials
     format_t  the format that a sum is put into, neuron_t the constants of a population

   Maps are stored channels last: element (y, x, c) stands at (y * width + x) * channels + c. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From a map of height x width x channels to one of rows x columns x filters. A linear layer is the
   convolution of a map of one pixel with a window of one pixel. */
typedef struct {
    uint32_t height, width, channels;
    uint32_t rows, columns, filters;
    uint32_t window_height, window_width;
    uint32_t stride_y, stride_x;
    uint32_t padding_y, padding_x;
    uint32_t groups;
} geometry;

/* Fixed point: drop `shift` bits (or, where a sum is raised, add them), then clamp. */
typedef struct {
    int32_t low, high;
    uint32_t shift;
} fixed_format;

/* A grid of floating-point numbers: multiples of `unit`, low to high counted in units. */
typedef struct {
    double unit, per_unit;
    double low, high;
} grid_format;

/* u = decay * v + gain * x + bias, everything in units of u. */
typedef struct {
    int32_t decay, gain, bias, threshold, value;
} neuron_i32;

typedef struct {
    int64_t decay, gain, bias, threshold, value;
} neuron_i64;

/* The same in numbers; a leaky neuron has tau and rest instead of decay and bias. */
typedef struct {
    float decay, gain, bias, threshold, value;
    float tau, rest;
} neuron_f32;

/* The part [from, to) of a window that lies within `size` elements. */
typedef struct {
    uint32_t from, to;
    uint32_t start; /* the element of the input at `from` */
} span;
