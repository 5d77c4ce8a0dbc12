#include "builder/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t signal_number;
static void (*on_interrupt)(void);

static void ask(int number)
{
	if (signal_number)
		_exit(128 + number);
	signal_number = number;
	atomic_store(&interrupted, true);
	if (on_interrupt)
		on_interrupt();
}

void interrupt_catch(void (*cancel)(void))
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction before, action = { .sa_handler = ask };

	on_interrupt = cancel;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

int interrupt_status(void)
{
	return signal_number ? 128 + signal_number : 0;
}
