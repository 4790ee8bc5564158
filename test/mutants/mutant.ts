/** A small mistake in the code that the tests must find. */
export type Mutant = {
  /** A description of the wrong behaviour. */
  name: string;
  /** The file that is changed, from the root of the repository. */
  file: string;
  /** Text that occurs in the file exactly once. */
  find: string;
  replace: string;
  /** The nearest test files, from the root of the repository. */
  tests: readonly string[];
  /** A pattern of test names (`group > name`), as `vitest -t` takes it, where running the whole files takes long. */
  only?: string;
  /** For a mutant that no test kills: why that is accepted. */
  survives?: string;
};
