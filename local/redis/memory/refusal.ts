/** An error reply with Redis's own text. */
export class Refusal extends Error {}
