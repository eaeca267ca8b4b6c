/* Counting. */
#include <stdio.h>

enum { ZONES = 3 };

/* Counts zone a. */
static int count_a(const int *pallets, int size)
{
	int sum = 0;

	for (int i = 0; i < size; i++) {
		if (pallets[i] < 0)
			continue;
		sum += pallets[i];
	}

	return sum;
}

/* Counts zone b. */
static int count_b(const int *pallets, int size)
{
	int sum = 0;

	for (int i = 0; i < size; i++) {
		if (pallets[i] < 0)
			continue;
		sum += pallets[i];
	}

	return sum;
}

/* Counts zone c. */
static int count_c(const int *pallets, int size)
{
	int sum = 0;

	for (int i = 0; i < size; i++) {
		if (pallets[i] < 0)
			continue;
		sum += pallets[i];
	}

	return sum;
}

/* Counts zone d. */
static int count_d(const int *pallets, int size)
{
	int sum = 0;

	for (int i = 0; i < size; i++) {
		if (pallets[i] < 0)
			continue;
		sum += pallets[i];
	}

	return sum;
}

/* Counts zone e. */
static int count_e(const int *pallets, int size)
{
	int sum = 0;

	for (int i = 0; i < size; i++) {
		if (pallets[i] < 0)
			continue;
		sum += pallets[i];
	}

	return sum;
}

/* Counts zone f. */
static int count_f(const int *pallets, int size)
{
	int sum = 0;

	for (int i = 0; i < size; i++) {
		if (pallets[i] < 0)
			continue;
		sum += pallets[i];
	}

	return sum;
}

int main(void)
{
	return count_a(0, 0);
}
