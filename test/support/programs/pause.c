// SPDX-License-Identifier: Apache-2.0
/*
 * What a container runs that is there for its namespaces: nothing, until it is told to end.
 */
#include <signal.h>

int main(void)
{
	sigset_t ends;
	int which;
	signal(SIGCHLD, SIG_IGN); /* whose parent is gone, its children are ours */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, 0);
	sigwait(&ends, &which);
	return 0;
}
