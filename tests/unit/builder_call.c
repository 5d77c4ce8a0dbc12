/* --check and --call, as text and as JSON; excerpts with them. */
#include "tests/unit/plan_cases.h"

int main(void)
{
	return run_folder("tests/calls");
}
