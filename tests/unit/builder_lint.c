/* The build checks: each rule, where it fires and where not, and how it is silenced. */
#include "tests/unit/plan_cases.h"

int main(void)
{
	return run_folder("tests/checks");
}
