/* What a Dockerfile becomes: stages, steps, history, config, and what is wrong with it. Among the cases
 * are here-documents (H295), expansions (H296), stages and triggers that cannot be (H297), and lists
 * that are none (H299). */
#include "tests/unit/plan_cases.h"

int main(void)
{
	return run_folder("tests/plans");
}
