/** Who opened a socket, and for which organization. */
export type SocketOwner = { organization_id: string; kind: 'caller' | 'worker'; id: string; owner_id: string | null };
/** The registry of sockets and of their subscriptions; without it there is no push. Never throws. */
export type Sockets = {
  keepTicket(hash: string, owner: SocketOwner, seconds: number): Promise<boolean>;
  /** Uses a ticket up. */
  takeTicket(hash: string): Promise<SocketOwner | null>;
  add(connectionId: string, owner: SocketOwner): Promise<boolean>;
  ownerOf(connectionId: string): Promise<SocketOwner | null>;
  subscribe(connectionId: string, organizationId: string, topics: readonly string[]): Promise<boolean>;
  unsubscribe(connectionId: string, organizationId: string, topics: readonly string[]): Promise<boolean>;
  /** The sockets of each topic, in the order of the topics. */
  subscribers(organizationId: string, topics: readonly string[]): Promise<string[][]>;
  /** Two round trips. */
  remove(connectionId: string): Promise<boolean>;
};
