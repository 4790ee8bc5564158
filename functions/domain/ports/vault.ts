/** Encrypts what must be stored but not be readable in the database. */
export type Vault = { seal(text: string): string; open(sealed: string): string };
