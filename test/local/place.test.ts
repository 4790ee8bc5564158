import { existsSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { choosePlace } from '../../local/postgres/account.ts';
import { installationForTest } from './support/start.ts';

const isRoot = process.getuid?.() === 0;
const quiet = () => {};

/** A data folder that only root can enter. */
const hiddenInstallation = async () => {
  const installation = await installationForTest();
  await chmod(installation.folder, 0o700);
  const place = () => {
    const { folder } = choosePlace(installation.data, quiet);
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    return folder;
  };
  return { ...installation, place };
};

describe.skipIf(!isRoot)('the database of root, whose folder no other user can enter,', () => {
  it('is kept elsewhere, and found again', async () => {
    const { data, place } = await hiddenInstallation();

    const first = place();

    expect(first.startsWith(data)).toBe(false);
    expect(place()).toBe(first);
    expect(existsSync(first)).toBe(true);
  });

  it('is a new one when the folder was removed and made again, since nobody has its keys any more', async () => {
    const { data, place } = await hiddenInstallation();
    const first = place();

    await rm(data, { recursive: true });

    expect(place()).not.toBe(first);
  });
});
