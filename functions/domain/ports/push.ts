/** Sends to open sockets. */
export type Push = {
  /**
   * Sends a message, as text where it is UTF-8. `gone`: the socket is closed, forget it. `slow`: it does not read, or the account exceeds its
   * rate limit; the message is lost. Throws when the gateway can't be reached.
   */
  post(connectionId: string, data: string | Uint8Array): Promise<'sent' | 'gone' | 'slow'>;
  /** Closes a socket; does nothing when it is closed already. */
  close(connectionId: string): Promise<void>;
};
