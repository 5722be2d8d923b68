/* Dates: what is read can be printed and read again as the same second. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "http/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { NOW_S = 1732100000 };
	int64_t seconds, again;
	char text[DATE_B], *exact = malloc(size ? size : 1);
	must(exact);
	memcpy(exact, data, size);
	if (!date_parse(str_make(exact, size), NOW_S, &seconds)) {
		date_print(text, seconds);
		must(!date_parse(str_make(text, DATE_B), NOW_S, &again) && again == seconds);
	}
	free(exact);
	return 0;
}
