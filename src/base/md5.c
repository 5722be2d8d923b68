/* MD5 as RFC 1321, 3 describes it.  Pure functions; any thread. */
#include "base/md5.h"

enum { BLOCK_B = 64, LENGTH_AT = 56 };

/* floor(2^32 * |sin(i + 1)|) (RFC 1321, 3.4). */
static const uint32_t SINES[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af,
	0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
	0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97,
	0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t TURNS[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };

static uint32_t mix(unsigned i, uint32_t b, uint32_t c, uint32_t d)
{
	switch (i / 16) {
	case 0:
		return (b & c) | (~b & d);
	case 1:
		return (d & b) | (~d & c);
	case 2:
		return b ^ c ^ d;
	default:
		return c ^ (b | ~d);
	}
}

/* Which word of the block round i takes. */
static unsigned word_at(unsigned i)
{
	static const uint8_t STEPS[4][2] = { { 1, 0 }, { 5, 1 }, { 3, 5 }, { 7, 0 } };
	return (i * STEPS[i / 16][0] + STEPS[i / 16][1]) % 16;
}

static void take(uint32_t state[4], const uint8_t block[BLOCK_B])
{
	uint32_t x[16], a = state[0], b = state[1], c = state[2], d = state[3];
	for (unsigned i = 0; i < 16; i++) {
		const uint8_t *p = block + 4 * (size_t)i;
		x[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	}
	for (unsigned i = 0; i < 64; i++) {
		unsigned turn = TURNS[i / 16][i % 4];
		uint32_t sum = a + mix(i, b, c, d) + SINES[i] + x[word_at(i)];
		a = d;
		d = c;
		c = b;
		b += sum << turn | sum >> (32 - turn);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

/* What is left over, a one bit, zeros, and the length in bits (RFC 1321, 3.1 and 3.2). */
static void take_end(uint32_t state[4], struct str rest, uint64_t length_b)
{
	uint8_t last[2 * BLOCK_B] = {};
	size_t n = rest.n < LENGTH_AT ? BLOCK_B : 2 * BLOCK_B;
	if (rest.n)
		memcpy(last, rest.p, rest.n);
	last[rest.n] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		last[n - 8 + i] = (uint8_t)(length_b * 8 >> 8 * i);
	take(state, last);
	if (n > BLOCK_B)
		take(state, last + BLOCK_B);
}

void md5(struct str s, uint8_t out[MD5_B])
{
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	size_t whole = s.n / BLOCK_B * BLOCK_B;
	for (size_t at = 0; at < whole; at += BLOCK_B)
		take(state, (const uint8_t *)s.p + at);
	take_end(state, str_from(s, whole), s.n);
	for (unsigned i = 0; i < MD5_B; i++)
		out[i] = (uint8_t)(state[i / 4] >> i % 4 * 8);
}
