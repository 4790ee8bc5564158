import { uptime } from 'node:os';

type Clock = () => number;

const monotonicMs: Clock = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/** For systems where no clock counts sleep: what the wall clock gains on the monotonic clock is counted as sleep, and never subtracted. */
export const countingSleep = (monotonic: Clock, wall: Clock): Clock => {
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
  return platform === 'darwin' ? monotonicMs : countingSleep(monotonicMs, Date.now);
};

/** Milliseconds since a fixed moment, the same in each thread. Counts while the machine sleeps; changes of the system time do not matter. */
export const clockMs: Clock = clockFor(process.platform);
