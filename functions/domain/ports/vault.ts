/** Encrypts values that are stored but must not be readable in the database. */
export type Vault = { seal(text: string): string; open(sealed: string): string };
