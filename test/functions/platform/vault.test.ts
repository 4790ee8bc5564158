import { describe, expect, it } from 'vitest';
import { createVault } from '../../../functions/platform/vault.ts';

const SECRET = 'a secret for tests that is long enough';

describe('the vault', () => {
  it.each(['', 'mae_token', '任務 🙂', 'x'.repeat(100_000)])('opens what it sealed', (text) => {
    const vault = createVault(SECRET);

    expect(vault.open(vault.seal(text))).toBe(text);
    expect(createVault(SECRET).open(vault.seal(text))).toBe(text);
  });

  it('never seals a text to the same bytes twice, and does not reveal it', () => {
    const vault = createVault(SECRET);

    const sealed = Array.from({ length: 20 }, () => vault.seal('secret'));

    expect(new Set(sealed).size).toBe(20);
    expect(sealed.map((it) => Buffer.from(it, 'base64').toString('latin1')).join()).not.toContain('secret');
  });

  it('opens nothing that was changed at any byte, or truncated', () => {
    const vault = createVault(SECRET);
    const sealed = Buffer.from(vault.seal('secret'), 'base64');

    for (const at of sealed.keys()) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;

      expect(() => vault.open(changed.toString('base64'))).toThrow();
      expect(() => vault.open(sealed.subarray(0, at).toString('base64'))).toThrow();
    }
  });

  it('opens nothing that was sealed with another secret', () => {
    expect(() => createVault(`${SECRET}!`).open(createVault(SECRET).seal('secret'))).toThrow();
  });
});
