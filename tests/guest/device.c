// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device registry between two domains: the control domain makes a device, serves it,
 * and takes it away, again and again; the other one uses it. They find each other by the
 * registry alone: the port of their channel is in a blob. What they may not do fails. A
 * third domain looks for a way in all the time and sees nothing.
 * @domains 3
 * @control 1
 */
#include "lib/control.h"
#include "lib/event.h"
#include <parvus/device.h>

#define ROUNDS	30u

static struct parvus_device record __attribute__((aligned(1024)));
static s64 virq;
static u64 handled;

static s64 call(u64 op, u32 id)
{
	record.size = sizeof(record);
	record.version = 1;
	record.id = id;
	barrier();
	return parvus_device_op(op, pa(&record));
}

static s64 set_state(u32 id, u32 state, s64 port)
{
	record.flags = port ? PARVUS_DEVICE_WRITE : 0;
	record.front_state = record.back_state = state;
	*(volatile s64 *)record.front_blob = port;
	s64 ret = call(PARVUS_DEVICE_SET, id);

	record.flags = 0;
	return ret;
}

/* The next change; sleeps until there is one. */
static void next_change(void)
{
	s64 ret;

	while ((ret = call(PARVUS_DEVICE_CHANGED, 0)) == -PARVUS_ENOENT) {
		event_wait(virq, handled);
		handled = event_count[virq];
	}
	EXPECT_EQ(ret, 0);
	barrier();
}

static void refused(u32 id)
{
	BAD(call(PARVUS_DEVICE_CREATE, 0), PARVUS_EPERM);
	BAD(call(PARVUS_DEVICE_REMOVE, id), PARVUS_EPERM);
	BAD(call(PARVUS_DEVICE_CONFIGURE, id), PARVUS_EPERM);
	BAD(set_state(id, PARVUS_DEVICE_GONE, 0), PARVUS_EINVAL);
	BAD(set_state(id, ~0u, 0), PARVUS_EINVAL);
	BAD(set_state(id, PARVUS_DEVICE_CONNECTED, 0), PARVUS_EINVAL);
	BAD(set_state(id + 1, PARVUS_DEVICE_INITIALISING, 0), PARVUS_ENOENT);
	record.reserved[1] = 1;
	BAD(call(PARVUS_DEVICE_READ, id), PARVUS_EINVAL);
	record.reserved[1] = 0;
	record.flags = 1;
	BAD(call(PARVUS_DEVICE_READ, id), PARVUS_EINVAL);
	record.flags = 4;
	BAD(call(PARVUS_DEVICE_SET, id), PARVUS_EINVAL);
	record.flags = 0;
	BAD(call(PARVUS_DEVICE_READ, id + 1), PARVUS_ENOENT);
	BAD(call(PARVUS_DEVICE_NEXT, id), PARVUS_ENOENT);
	EXPECT_EQ(call(PARVUS_DEVICE_NEXT, 0), 0);
	EXPECT_EQ(record.id, id);
}

static void front(void)
{
	u32 gone = 0, id, mine = PARVUS_DEVICE_CLOSED;
	s64 port = 0;

	while (gone < ROUNDS) {
		next_change();
		id = record.id;
		EXPECT_EQ(record.device_class, PARVUS_CLASS_TEST);
		if (record.back_state == PARVUS_DEVICE_GONE) {
			EXPECT_EQ(record.front_state, PARVUS_DEVICE_GONE);
			BAD(call(PARVUS_DEVICE_READ, id), PARVUS_ENOENT);
			gone++;
			mine = PARVUS_DEVICE_CLOSED;
			continue;
		}
		EXPECT_EQ(record.config[0], 0x5a);
		if (record.back_state == PARVUS_DEVICE_READY && mine == PARVUS_DEVICE_CLOSED) {
			if (!gone)
				refused(id);
			EXPECT_EQ(set_state(id, PARVUS_DEVICE_INITIALISING, 0), 0);
			port = event_unbound(0);
			EXPECT(port > 0);
			EXPECT_EQ(set_state(id, mine = PARVUS_DEVICE_READY, port), 0);
		} else if (record.back_state == PARVUS_DEVICE_CONNECTED &&
			   mine == PARVUS_DEVICE_READY) {
			EXPECT_EQ(set_state(id, mine = PARVUS_DEVICE_CONNECTED, 0), 0);
			event_wait(port, event_count[port] - !!event_count[port]);
			EXPECT_EQ(event_send(port), 0);
		} else if (record.back_state == PARVUS_DEVICE_CLOSING &&
			   mine == PARVUS_DEVICE_CONNECTED) {
			EXPECT_EQ(event_close(port), 0);
			event_count[port] = 0;
			EXPECT_EQ(set_state(id, mine = PARVUS_DEVICE_CLOSED, 0), 0);
		}
	}
}

static void wait_front(u32 id, u32 state)
{
	do {
		next_change();
		EXPECT_EQ(record.id, id);
	} while (record.front_state != state);
}

static void back(void)
{
	u32 id, last = 0;
	s64 port;

	for (u32 i = 0; i < ROUNDS; i++) {
		record.device_class = PARVUS_CLASS_TEST;
		record.index = 3;
		record.front_domain = 1;
		record.back_domain = i % 2 ? SELF : 0;
		record.config[0] = 0x5a;
		EXPECT_EQ(call(PARVUS_DEVICE_CREATE, 0), 0);
		id = ((volatile struct parvus_device *)&record)->id;
		EXPECT(id > last);
		last = id;
		BAD(call(PARVUS_DEVICE_CREATE, 0), PARVUS_EEXIST);
		EXPECT_EQ(set_state(id, PARVUS_DEVICE_INITIALISING, 0), 0);
		BAD(set_state(id, PARVUS_DEVICE_CONNECTED, 0), PARVUS_EINVAL);
		EXPECT_EQ(set_state(id, PARVUS_DEVICE_READY, 0), 0);
		wait_front(id, PARVUS_DEVICE_READY);
		port = event_join(1, *(volatile u64 *)record.front_blob);
		EXPECT(port > 0);
		EXPECT_EQ(set_state(id, PARVUS_DEVICE_CONNECTED, 0), 0);
		EXPECT_EQ(event_send(port), 0);
		event_wait(port, 0);
		EXPECT_EQ(event_count[port], 1);
		event_count[port] = 0;
		EXPECT_EQ(set_state(id, PARVUS_DEVICE_CLOSING, 0), 0);
		wait_front(id, PARVUS_DEVICE_CLOSED);
		BAD(event_send(port), PARVUS_EAGAIN);
		EXPECT_EQ(event_close(port), 0);
		EXPECT_EQ(call(PARVUS_DEVICE_REMOVE, id), 0);
		BAD(call(PARVUS_DEVICE_REMOVE, id), PARVUS_ENOENT);
		next_change();
		EXPECT_EQ(record.front_state, PARVUS_DEVICE_GONE);
	}
}

static void intruder(void)
{
	u64 until = now_ns() + 1000000000;

	while (now_ns() < until && !failures) {
		for (u32 id = 0; id < ROUNDS + 3; id++) {
			BAD(call(PARVUS_DEVICE_READ, id), PARVUS_ENOENT);
			BAD(call(PARVUS_DEVICE_NEXT, id), PARVUS_ENOENT);
			BAD(call(PARVUS_DEVICE_CHANGED, id), PARVUS_ENOENT);
			BAD(call(PARVUS_DEVICE_REMOVE, id), PARVUS_EPERM);
			BAD(set_state(id, PARVUS_DEVICE_CLOSED, id), PARVUS_ENOENT);
			BAD(event_join(0, id), PARVUS_ENOENT);
			BAD(event_join(1, id), PARVUS_ENOENT);
		}
		parvus_yield();
	}
	EXPECT_EQ(event_count[virq], 0);
}

void test(void)
{
	clock_setup();
	event_setup();
	virq = event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQ_DEVICE, 0, 0, 0);
	EXPECT_EQ(virq, 1);
	irq_on();
	if (start_info->domain == 2)
		intruder();
	else if (start_info->domain)
		front();
	else
		back();
	if (!start_info->domain) {	/* with domain 0 all end */
		child_wait(1, PARVUS_DOMAIN_SHUTDOWN);
		child_wait(2, PARVUS_DOMAIN_SHUTDOWN);
	}
}
