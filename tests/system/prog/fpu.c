// SPDX-License-Identifier: GPL-2.0-only
/* FPU and SSE registers belong to their thread, across switches, signals and CPUs. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <sched.h>
#include <unistd.h>
#include <sys/time.h>

static volatile int bad, ticks;

static void tick(int sig)
{
	double x = 1.5;

	__asm__ volatile("movapd %%xmm7, %%xmm6; addsd %0, %%xmm7" : : "m"(x) : "xmm6", "xmm7");
	ticks++;
}

static void *work(void *arg)
{
	uint64_t v = (uint64_t)(uintptr_t)arg * 0x0101010101010101ull, out;
	int i, j;

	for (i = 0; i < 3000 && !bad; i++) {
		__asm__ volatile("movq %0, %%xmm7; movq %0, %%xmm15; fildll %0" : : "m"(v) :
				 "xmm7", "xmm15");
		if (i % 16 == 0)
			sched_yield();
		for (j = 0; j < 2000; j++)
			__asm__ volatile("" : : : "memory");
		__asm__ volatile("movq %%xmm15, %0" : "=m"(out));
		bad |= out != v;
		__asm__ volatile("fistpll %0" : "=m"(out));
		bad |= out != v;
		__asm__ volatile("movq %%xmm7, %0" : "=m"(out));
		bad |= out != v;
	}
	return NULL;
}

int main(void)
{
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } };
	pthread_t t[6];
	int i;

	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &it, NULL);
	for (i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, work, (void *)(uintptr_t)(i + 1));
	for (i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	printf("fpu %s, %d signals\n", bad ? "BAD" : "ok", ticks);
	return bad;
}
