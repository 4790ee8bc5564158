/** A refusal in Redis's own words. */
export class Refusal extends Error {}
