/** `true` if both types are the same, `any` and modifiers included; a test says `expectTrue<…>()`. */
export type Equals<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Does not compile for anything but `true`. */
export function expectTrue<_T extends true>(): void {}
