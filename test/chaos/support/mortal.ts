import { AsyncLocalStorage } from 'node:async_hooks';

const dying = new AsyncLocalStorage<() => void>();

class Killed extends Error {
  override readonly name = 'Killed';
}

export const isMortal = () => dying.getStore() !== undefined;

/** Ends what runs now as a killed process ends: nothing after it happens, and it answers nobody. */
export const die = (): Promise<never> => {
  dying.getStore()?.();
  return new Promise(() => {});
};

/** Runs work that may die; rejects when it did. */
export const mortal = <T>(work: () => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    dying.run(
      () => reject(new Killed('killed')),
      () => void work().then(resolve, reject),
    );
  });

/** Asks again with the same request until it is answered. */
export const untilAnswered = async <T>(ask: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await mortal(ask);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }
};
