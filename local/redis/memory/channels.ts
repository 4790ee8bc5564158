import type { Listener } from '../requester.ts';

type Subscription = { fits: (channel: string) => boolean; listener: Listener };

/** The subscriptions to channels and patterns. */
export const createChannels = () => {
  const subscriptions = new Set<Subscription>();
  return {
    add: (fits: Subscription['fits'], listener: Listener) => {
      const subscription = { fits, listener };
      subscriptions.add(subscription);
      return () => void subscriptions.delete(subscription);
    },
    /** Subscribers receive the message after the command has been answered. */
    publish: (channel: string, message: string): number => {
      const reached = [...subscriptions].filter(({ fits }) => fits(channel));
      for (const { listener } of reached) queueMicrotask(() => listener(message, channel));
      return reached.length;
    },
    clear: () => subscriptions.clear(),
  };
};
