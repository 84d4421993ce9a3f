// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock_gettime() must not enter the kernel: it is called under strict seccomp, which
 * kills at any system call but read, write and exit. Time goes forward on all CPUs.
 */
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	struct timespec t, last = { 0, 0 };
	char name[64] = "";
	int status, i;
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");

	if (!f || !fgets(name, sizeof(name), f))
		return 1;
	printf("clocksource %s", name);
	if (strcmp(name, "parvus\n") || fflush(stdout))
		return 1;
	if (!fork()) {
		clock_gettime(CLOCK_MONOTONIC, &t);	/* resolve it */
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		for (i = 0; i < 200000; i++) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			if (t.tv_sec < last.tv_sec || (t.tv_sec == last.tv_sec && t.tv_nsec < last.tv_nsec))
				syscall(SYS_exit, 2);
			last = t;
		}
		syscall(SYS_exit, 0);
	}
	wait(&status);
	if (status) {
		printf("clock_gettime: status %x\n", status);
		return 1;
	}
	puts("vdso ok");
	return 0;
}
