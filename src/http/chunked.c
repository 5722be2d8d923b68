/* The chunked coding's decoder: a byte machine, except for data, which is taken in runs.  No state of its own. */
#include "http/chunked.h"

#include "base/str.h"
#include "http/head.h"

static bool is_token(char c)
{
	return str_is_token((struct str){ &c, 1 });
}

static bool is_value(char c)
{
	return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static enum chunked_got go(struct chunked *c, enum chunked_at at)
{
	c->at = at;
	c->token = false;
	return CHUNKED_MORE;
}

static enum chunked_got size_digit(struct chunked *c, char byte)
{
	int digit = ascii_hex(byte);
	if (digit < 0)
		return CHUNKED_BAD;
	/* 15 digits hold any size that a file can have, and can't overflow. */
	if (++c->digits > 15)
		return CHUNKED_BAD;
	c->left_b = c->left_b << 4 | (uint64_t)digit;
	c->at = CHUNKED_SIZE_MORE;
	return CHUNKED_MORE;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ); blanks are "bad", and refused. */
static enum chunked_got extension(struct chunked *c, char byte)
{
	switch (c->at) {
	case CHUNKED_EXT:
		return byte == ';' ? go(c, CHUNKED_EXT_NAME) : byte == '\r' ? go(c, CHUNKED_SIZE_LF) : CHUNKED_BAD;
	case CHUNKED_EXT_NAME:
	case CHUNKED_EXT_VALUE:
		if (c->at == CHUNKED_EXT_VALUE && byte == '"' && !c->token)
			return go(c, CHUNKED_EXT_QUOTED);
		if (is_token(byte)) {
			c->token = true;
			return CHUNKED_MORE;
		}
		if (!c->token)
			return CHUNKED_BAD;
		if (byte == '=' && c->at == CHUNKED_EXT_NAME)
			return go(c, CHUNKED_EXT_VALUE);
		c->at = CHUNKED_EXT;
		return extension(c, byte);
	case CHUNKED_EXT_QUOTED:
		if (byte == '"')
			return go(c, CHUNKED_EXT);
		if (byte == '\\')
			return go(c, CHUNKED_EXT_ESCAPED);
		return is_value(byte) ? CHUNKED_MORE : CHUNKED_BAD;
	default: /* CHUNKED_EXT_ESCAPED */
		return is_value(byte) ? go(c, CHUNKED_EXT_QUOTED) : CHUNKED_BAD;
	}
}

static enum chunked_got trailer(struct chunked *c, char byte)
{
	switch (c->at) {
	case CHUNKED_TRAILER:
		if (byte == '\r')
			return go(c, CHUNKED_END_LF);
		go(c, CHUNKED_TRAILER_NAME);
		[[fallthrough]];
	case CHUNKED_TRAILER_NAME:
		if (byte == ':' && c->token)
			return go(c, CHUNKED_TRAILER_VALUE);
		c->token = is_token(byte);
		return c->token ? CHUNKED_MORE : CHUNKED_BAD;
	case CHUNKED_TRAILER_VALUE:
		if (byte == '\r')
			return go(c, CHUNKED_TRAILER_LF);
		return is_value(byte) ? CHUNKED_MORE : CHUNKED_BAD;
	case CHUNKED_TRAILER_LF:
		return byte == '\n' ? go(c, CHUNKED_TRAILER) : CHUNKED_BAD;
	default: /* CHUNKED_END_LF */
		if (byte != '\n')
			return CHUNKED_BAD;
		go(c, CHUNKED_DONE);
		return CHUNKED_OVER;
	}
}

static enum chunked_got size_line(struct chunked *c, char byte)
{
	switch (c->at) {
	case CHUNKED_SIZE:
		return size_digit(c, byte);
	case CHUNKED_SIZE_MORE:
		if (ascii_hex(byte) >= 0)
			return size_digit(c, byte);
		c->at = CHUNKED_EXT;
		return extension(c, byte);
	case CHUNKED_SIZE_LF:
		c->digits = 0;
		if (byte != '\n')
			return CHUNKED_BAD;
		/* Trailers share one bound; each chunk's extensions have their own. */
		c->overhead_b = 0;
		return go(c, c->left_b ? CHUNKED_DATA : CHUNKED_TRAILER);
	case CHUNKED_DATA_CR:
		return byte == '\r' ? go(c, CHUNKED_DATA_LF) : CHUNKED_BAD;
	case CHUNKED_DATA_LF:
		return byte == '\n' ? go(c, CHUNKED_SIZE) : CHUNKED_BAD;
	default:
		return extension(c, byte);
	}
}

static enum chunked_got data_run(struct chunked *c, struct str *in, uint64_t want_b, struct str *data)
{
	uint64_t n = c->left_b < want_b ? c->left_b : want_b;
	*data = str_head(*in, n < in->n ? (size_t)n : in->n);
	*in = str_from(*in, data->n);
	c->left_b -= data->n;
	if (!c->left_b)
		go(c, CHUNKED_DATA_CR);
	return CHUNKED_SOME;
}

enum chunked_got chunked_read(struct chunked *c, struct str *in, uint64_t want_b, struct str *data)
{
	if (c->at == CHUNKED_DONE)
		return CHUNKED_OVER;
	for (;;) {
		if (c->at == CHUNKED_TRAILER && c->leaves_trailers)
			return CHUNKED_LEFT;
		if (!in->n)
			return CHUNKED_MORE;
		if (c->at == CHUNKED_DATA)
			return data_run(c, in, want_b, data);
		char byte = in->p[0];
		*in = str_from(*in, 1);
		if (++c->overhead_b > CHUNKED_OVERHEAD_B)
			return CHUNKED_BAD;
		enum chunked_got got = c->at >= CHUNKED_TRAILER ? trailer(c, byte) : size_line(c, byte);
		if (got != CHUNKED_MORE)
			return got;
	}
}
