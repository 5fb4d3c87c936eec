/** The orders of the sample to its keeper. */
export type KeeperOrder =
  | { readonly database: 'start' }
  /** Kill this process when the sample is gone. */
  | { readonly guard: number }
  /** This process is gone. */
  | { readonly release: number };

/** What the keeper answers when the database was to be started. */
export type KeeperAnswer = { readonly url: string } | { readonly error: string };
