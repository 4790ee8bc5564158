export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

export const percentile = (values: readonly number[], of: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil((of / 100) * values.length) - 1] ?? Number.NaN;

/**
 * The measurements of each round of one run, by name. Ratios are computed per round, so that a machine that slows down affects both
 * sides.
 */
export class Rounds {
  readonly #values = new Map<string, number[]>();

  add(name: string, value: number) {
    this.#values.set(name, [...this.of(name), value]);
  }
  names = () => [...this.#values.keys()];
  of = (name: string): readonly number[] => this.#values.get(name) ?? [];
  median = (name: string): number => median(this.of(name));
  /** NaN if one of the two was not measured. */
  ratio = (over: string, under: string): number =>
    median(this.of(over).map((value, round) => value / (this.of(under)[round] ?? Number.NaN)));
}
