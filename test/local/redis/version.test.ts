import { describe, expect, it } from 'vitest';
import { faultOf } from '../../../local/redis/version.ts';

describe('the version of a Redis', () => {
  it.each(['6.2.0', '7.0.15', '8.2', '10.0.0', null])('is supported from 6.2 on, or if it is unknown: %s', (version) => {
    expect(faultOf(version)).toBeNull();
  });

  it.each(['6.0.16', '5.9.9', '3'])('is too old before: %s', (version) => {
    expect(faultOf(version)).toBe(`it is Redis ${version}; it must be 6.2 or newer`);
  });
});
