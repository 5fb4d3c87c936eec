/** The kids of the configured secrets; none of them is a secret itself. */
export class SigningKeys {
  constructor(readonly kids: readonly string[]) {}
}
