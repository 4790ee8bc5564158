import { AsyncLocalStorage } from 'node:async_hooks';

const dying = new AsyncLocalStorage<() => void>();

class Killed extends Error {
  override readonly name = 'Killed';
}

export const isMortal = () => dying.getStore() !== undefined;

/** Ends the current work like a killed process: nothing after it happens, and it returns nothing to its caller. */
export const die = (): Promise<never> => {
  dying.getStore()?.();
  return new Promise(() => {});
};

/** Runs work that may call `die`; rejects when it did. */
export const mortal = <T>(work: () => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    dying.run(
      () => reject(new Killed('killed')),
      () => void work().then(resolve, reject),
    );
  });

/** Repeats the same request while its work is killed. */
export const retryWhileKilled = async <T>(ask: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await mortal(ask);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }
};
