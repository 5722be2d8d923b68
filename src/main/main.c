/* main(): the one symbol that the tests do not link. */
#include "base/mem.h"
#include "main/cli.h"

int main(int argc, char **argv)
{
	mem_setup();
	return cli_main(argc, argv);
}
