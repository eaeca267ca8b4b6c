/* The three loops of the training that numpy has no word for. Compiled by fit.py and called through ctypes; single-threaded. */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MAX_DIMS = 1024 };

/* out[i] = sum of weight[id] * table[id] over the tokens of text i; text i is ids[starts[i] .. starts[i + 1]). */
void bag_forward(const float *table, const float *weight, const int32_t *ids, const int64_t *starts, int64_t texts, int64_t dims,
		 float *out)
{
	memset(out, 0, (size_t)(texts * dims) * sizeof *out);
	for (int64_t i = 0; i < texts; i++)
		for (int64_t t = starts[i]; t < starts[i + 1]; t++) {
			const float *row = table + ids[t] * dims;
			for (int64_t d = 0; d < dims; d++)
				out[i * dims + d] += weight[ids[t]] * row[d];
		}
}

/* Adds the gradients of table and weight for gradient `grad` of bag_forward's out. */
void bag_backward(const float *table, const float *weight, const int32_t *ids, const int64_t *starts, int64_t texts, int64_t dims,
		  const float *grad, float *table_grad, float *weight_grad)
{
	for (int64_t i = 0; i < texts; i++)
		for (int64_t t = starts[i]; t < starts[i + 1]; t++) {
			const float *row = table + ids[t] * dims;
			float *row_grad = table_grad + ids[t] * dims;
			float dot = 0;
			for (int64_t d = 0; d < dims; d++) {
				row_grad[d] += weight[ids[t]] * grad[i * dims + d];
				dot += row[d] * grad[i * dims + d];
			}
			weight_grad[ids[t]] += dot;
		}
}

/* One step of Adam (Kingma and Ba 2015), which also clears the gradient. `rate` holds the bias correction of the first moment. */
void adam(float *x, float *grad, float *first, float *second, int64_t count, float rate, float beta1, float beta2, float correction2)
{
	for (int64_t i = 0; i < count; i++) {
		first[i] = beta1 * first[i] + (1 - beta1) * grad[i];
		second[i] = beta2 * second[i] + (1 - beta2) * grad[i] * grad[i];
		x[i] -= rate * first[i] / (sqrtf(second[i] / correction2) + 1e-8f);
		grad[i] = 0;
	}
}
