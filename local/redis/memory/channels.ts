import type { Listener } from '../requester.ts';

type Subscription = { fits: (channel: string) => boolean; listener: Listener };

/** Who listens to what. */
export const createChannels = () => {
  const subscriptions = new Set<Subscription>();
  return {
    add: (fits: Subscription['fits'], listener: Listener) => {
      const subscription = { fits, listener };
      subscriptions.add(subscription);
      return () => void subscriptions.delete(subscription);
    },
    /** They hear of it after the command has been answered. */
    publish: (channel: string, message: string): number => {
      const reached = [...subscriptions].filter(({ fits }) => fits(channel));
      for (const { listener } of reached) queueMicrotask(() => listener(message, channel));
      return reached.length;
    },
    clear: () => subscriptions.clear(),
  };
};
