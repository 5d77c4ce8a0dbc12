/* What a Dockerfile becomes: stages, steps, history, config, and what is wrong with it. */
#include "tests/unit/plan_cases.h"

int main(void)
{
	return run_folder("tests/plans");
}
