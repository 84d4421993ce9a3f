// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program without a C library: system calls by int 0x80; SYSENTER and SYSCALL
 * end in a signal, and the program goes on (rule 60).
 */
static int sys(int nr, int a, int b, int c, int d)
{
	int ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
			 : "memory");
	return ret;
}

static void say(const char *s)
{
	int n = 0;

	while (s[n])
		n++;
	sys(4, 1, (int)s, n, 0);
}

/* 1 if the child that runs fn is killed by SIGILL, SIGSEGV or SIGBUS */
static int dies(void (*fn)(void))
{
	int status = 0, pid = sys(2, 0, 0, 0, 0);

	if (!pid) {
		fn();
		sys(1, 0, 0, 0, 0);
	}
	sys(7, pid, (int)&status, 0, 0);
	status &= 0x7f;
	return status == 4 || status == 11 || status == 7;
}

static void sysenter(void)
{
	__asm__ volatile("mov $20, %%eax; mov %%esp, %%ebp; sysenter" : : : "eax", "memory");
}
static void syscall32(void)
{
	__asm__ volatile("mov $20, %%eax; syscall" : : : "eax", "ecx", "memory");
}
static void cli(void) { __asm__ volatile("cli"); }

void _start(void)
{
	int ok = sys(20, 0, 0, 0, 0) > 1;	/* getpid */
	char *heap = (char *)sys(45, 0, 0, 0, 0);	/* brk */

	ok &= sys(45, (int)heap + 65536, 0, 0, 0) == (int)heap + 65536;
	for (int i = 0; i < 65536; i += 4096)
		heap[i] = (char)i;
	ok &= dies(sysenter);
	ok &= dies(syscall32);
	ok &= dies(cli);
	say(ok ? "compat32 ok\n" : "compat32 BAD\n");
	sys(1, !ok, 0, 0, 0);
	for (;;)
		;
}
