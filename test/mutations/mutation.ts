/** One mechanism broken by hand: edits of the compiled library, and the tests that must go red. */
export interface Mutation {
  readonly name: string;
  readonly edits: readonly {
    /** Below `lib/`, without its ending. */
    readonly file: string;
    /** Must occur exactly once. */
    readonly find: string;
    readonly replace: string;
  }[];
  /** A pattern of test files for jest. */
  readonly tests: string;
  /** A part of the title of the one test that must go red; without it any test of the files. */
  readonly title?: string;
}
