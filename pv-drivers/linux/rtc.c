// SPDX-License-Identifier: GPL-2.0-only
/*
 * A clock of the day with an alarm, for the timers on CLOCK_REALTIME_ALARM and
 * CLOCK_BOOTTIME_ALARM, which Linux refuses to make without one. The time is the
 * hypervisor's, which domain 0 alone can set; the alarm is a timer of the kernel.
 *
 * When domain 0 corrects that time, the kernel's clock of a domain U goes along: by as much as it
 * was moved, at once or, below half a second, slowly, as adjtime() does. Not if NTP disciplines
 * it, and not with parvus.follow_clock=0.
 *
 * When the domain stood still (VIRQ_RESUME: a pause, a restore), that time has moved on against all
 * clocks here, which stood still with it: CLOCK_REALTIME is set forward by as much, at once and in
 * any case.
 */
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/moduleparam.h>
#include <linux/platform_device.h>
#include <linux/pm_wakeup.h>
#include <linux/rtc.h>
#include <linux/timex.h>
#include <linux/workqueue.h>
#include <asm/x86_init.h>
#include <linux/parvus.h>
#include "resume.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "parvus."

static struct {
	struct rtc_device *device;
	struct hrtimer timer;
	time64_t alarm;
	bool enabled;
} parvus_rtc;

/* All calls come with the device's ops_lock held. */
static void parvus_rtc_arm(void)
{
	struct timespec64 now;

	hrtimer_cancel(&parvus_rtc.timer);
	x86_platform.get_wallclock(&now);
	if (parvus_rtc.enabled && parvus_rtc.alarm > now.tv_sec)
		hrtimer_start(&parvus_rtc.timer,
			      ktime_set(parvus_rtc.alarm - now.tv_sec, 0) - now.tv_nsec,
			      HRTIMER_MODE_REL);
}

static enum hrtimer_restart parvus_rtc_fired(struct hrtimer *timer)
{
	rtc_update_irq(parvus_rtc.device, 1, RTC_AF | RTC_IRQF);
	return HRTIMER_NORESTART;
}

static int parvus_rtc_read_time(struct device *dev, struct rtc_time *tm)
{
	struct timespec64 now;

	x86_platform.get_wallclock(&now);
	rtc_time64_to_tm(now.tv_sec, tm);
	return 0;
}

static int parvus_rtc_read_alarm(struct device *dev, struct rtc_wkalrm *alarm)
{
	rtc_time64_to_tm(parvus_rtc.alarm, &alarm->time);
	alarm->enabled = parvus_rtc.enabled;
	return 0;
}

static int parvus_rtc_alarm_enable(struct device *dev, unsigned int enabled)
{
	parvus_rtc.enabled = enabled;
	parvus_rtc_arm();
	return 0;
}

static int parvus_rtc_set_alarm(struct device *dev, struct rtc_wkalrm *alarm)
{
	parvus_rtc.alarm = rtc_tm_to_time64(&alarm->time);
	return parvus_rtc_alarm_enable(dev, alarm->enabled);
}

static const struct rtc_class_ops parvus_rtc_ops = {
	.read_time = parvus_rtc_read_time,
	.read_alarm = parvus_rtc_read_alarm,
	.set_alarm = parvus_rtc_set_alarm,
	.alarm_irq_enable = parvus_rtc_alarm_enable,
};

static bool parvus_follow = true;
module_param_named(follow_clock, parvus_follow, bool, 0644);
static s64 parvus_wall;	/* as it was read last */
static bool parvus_resumed;

static void parvus_wall_follow(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(parvus_wall_work, parvus_wall_follow);

static void parvus_wall_follow(struct work_struct *work)
{
	struct __kernel_timex t = { .modes = 0 };
	s64 wall = parvus_call0(PARVUS_HC_wall_read), by = wall - parvus_wall;
	struct timespec64 step = ns_to_timespec64(by);
	bool resumed = xchg(&parvus_resumed, false);

	schedule_delayed_work(&parvus_wall_work, 10 * HZ);
	parvus_wall = wall;
	if (!by || (!resumed &&
		    (!parvus_follow || do_adjtimex(&t) < 0 || !(t.status & STA_UNSYNC))))
		return;
	if (!resumed && abs(by) < NSEC_PER_SEC / 2) {
		t.modes = ADJ_OFFSET_SINGLESHOT;
		t.offset = div_s64(by, NSEC_PER_USEC);
	} else {
		t.modes = ADJ_SETOFFSET | ADJ_NANO;
		t.time.tv_sec = step.tv_sec;
		t.time.tv_usec = step.tv_nsec;
	}
	do_adjtimex(&t);
}

static irqreturn_t parvus_resume_interrupt(int irq, void *unused)
{
	WRITE_ONCE(parvus_resumed, true);
	mod_delayed_work(system_highpri_wq, &parvus_wall_work, 0);
	parvus_memory_resumed();
	return IRQ_HANDLED;
}

static int __init parvus_rtc_init(void)
{
	struct platform_device *pdev;
	int irq;

	if (!parvus_start)
		return 0;
	pdev = platform_device_register_simple("parvus-rtc", -1, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	if (!parvus_control_domain()) {
		parvus_wall = parvus_call0(PARVUS_HC_wall_read);
		schedule_delayed_work(&parvus_wall_work, 10 * HZ);
		irq = parvus_bind_virq(PARVUS_VIRQ_RESUME, 0, 0);
		if (irq > 0 && request_irq(irq, parvus_resume_interrupt, 0, "parvus-resume", NULL))
			parvus_unbind(irq);
	}
	hrtimer_init(&parvus_rtc.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	parvus_rtc.timer.function = parvus_rtc_fired;
	device_init_wakeup(&pdev->dev, true);
	parvus_rtc.device = devm_rtc_allocate_device(&pdev->dev);
	if (IS_ERR(parvus_rtc.device))
		return PTR_ERR(parvus_rtc.device);
	parvus_rtc.device->ops = &parvus_rtc_ops;
	parvus_rtc.device->range_min = 0;
	parvus_rtc.device->range_max = U32_MAX;
	return devm_rtc_register_device(parvus_rtc.device);
}
device_initcall(parvus_rtc_init);
