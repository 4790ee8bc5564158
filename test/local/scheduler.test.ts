import { describe, expect, it, onTestFinished } from 'vitest';
import { every } from '../../local/scheduler.ts';

const PATIENT = { timeout: 15_000 };

describe('a scheduled job', () => {
  it('runs again after a failure, and its error is reported', async () => {
    const errors: unknown[] = [];
    let runs = 0;
    const job = async () => {
      if (++runs < 3) throw new Error(`failure ${runs}`);
    };
    const { stop } = every(1, job, (error) => errors.push(error));
    onTestFinished(() => stop());

    await expect.poll(() => runs, PATIENT).toBeGreaterThan(3);

    expect(errors).toEqual([new Error('failure 1'), new Error('failure 2')]);
  });

  it('has ended when it is stopped, and does not run again', async () => {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const steps: string[] = [];
    const job = async () => {
      steps.push('began');
      await end;
      steps.push('ended');
    };
    const { stop } = every(1, job, () => {});
    await expect.poll(() => steps, PATIENT).toEqual(['began']);

    const stopped = stop().then(() => steps.push('stopped'));
    resolve();
    await stopped;

    expect(steps).toEqual(['began', 'ended', 'stopped']);
  });
});
