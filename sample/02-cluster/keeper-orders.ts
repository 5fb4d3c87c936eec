/** The orders of the sample to its keeper. */
export type KeeperOrder =
  | { readonly database: 'start' }
  /** Kill this process when the sample is gone. */
  | { readonly guard: number }
  /** This process is gone. */
  | { readonly release: number };

/** What the keeper answers when it was asked to start the database. */
export type KeeperAnswer = { readonly url: string } | { readonly error: string };
