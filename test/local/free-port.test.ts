import { describe, expect, it, vi } from 'vitest';
import { freePort } from '../../local/free-port.ts';

describe('a free port', () => {
  it('is returned only once, even while nobody listens on it yet', async () => {
    const random = vi.spyOn(Math, 'random');
    for (const number of [0.25, 0.25, 0.75]) random.mockReturnValueOnce(number);

    expect(await freePort()).not.toBe(await freePort());
  });
});
