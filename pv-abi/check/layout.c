// SPDX-License-Identifier: MIT
/*
 * The layout of every structure of the ABI, as the compiler has it. layout.list has all that
 * pv-abi/reference.py found in the headers: the members must fill their structure to the
 * byte, so one that it does not see, or hidden padding, is an error. check/run compiles this
 * as C11 and as C++, and compares what layout() prints with abi.snapshot.
 */
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
#define ASSERT(condition, text) static_assert(condition, text)
#else
#define ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define SIZEOF(member)	sizeof(((T *)0)->member)

static inline void padding(void)
{
	/* sum: one array of bytes for each member, without alignment */
#define BEGIN(name)	{ typedef struct name T; struct sum {
#define MEMBER(name)	unsigned char name[SIZEOF(name)];
#define END		}; ASSERT(sizeof(struct sum) == sizeof(T), "the members do not fill it"); }
#include "layout.list"
}
#undef BEGIN
#undef MEMBER
#undef END

static inline void layout(void)
{
#define BEGIN(name)	{ typedef struct name T; const char *of = "struct " #name; \
	printf("%s size %zu\n", of, sizeof(T));
#define MEMBER(name)	\
	printf("%s.%s offset %zu size %zu\n", of, #name, offsetof(T, name), SIZEOF(name));
#define END		}
#include "layout.list"
}
