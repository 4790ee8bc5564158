import { uptime } from 'node:os';

type Clock = () => number;

const monotonicMs: Clock = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/** Where no clock counts sleep: what the wall clock has gained on the monotonic one is taken for sleep, and never given back. */
export const comparing = (monotonic: Clock, wall: Clock): Clock => {
  const offset = wall() - monotonic();
  let slept = 0;
  return () => {
    const now = monotonic();
    slept = Math.max(slept, wall() - now - offset);
    return now + slept;
  };
};

/** Linux (CLOCK_BOOTTIME) and Windows count sleep in their uptime; on macOS the monotonic clock does. */
export const clockFor = (platform: NodeJS.Platform): Clock => {
  if (platform === 'linux' || platform === 'android' || platform === 'win32') return () => uptime() * 1_000;
  return platform === 'darwin' ? monotonicMs : comparing(monotonicMs, Date.now);
};

/** Milliseconds since some moment: goes on while the machine sleeps, cares for no setting of the time, the same in each thread. */
export const clockMs: Clock = clockFor(process.platform);
