import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { ClaimsContext, ClaimsLoader } from '../options/session-settings.js';

/**
 * Asks the application for the claims of an account's next token.
 *
 * @returns `null` when the application says that there is no such account.
 * @throws AuthWiringError for an answer that is neither an object of claims nor `null`: a look-up that
 * finds nothing, or a forgotten `return`, must not give a token without claims to a deleted account.
 */
export async function claimsOf(
  loader: ClaimsLoader | undefined,
  subject: string,
  context: ClaimsContext,
): Promise<Readonly<Record<string, unknown>> | null> {
  if (loader === undefined) return {};
  // What an application without types gives is not known.
  const answer: unknown = await loader(subject, context);
  if (answer === null) return null;
  if (typeof answer === 'object' && !Array.isArray(answer)) {
    return answer as Readonly<Record<string, unknown>>;
  }
  const kind = Array.isArray(answer) ? 'a list' : typeof answer;
  throw new AuthWiringError(
    `The option claims gave ${kind === 'undefined' ? 'undefined' : kind}, at ${context.on}. ` +
      'Nothing was issued and nothing was consumed.',
    'For an account that no longer exists return null: it is refused with account_disabled, and ' +
      'its session ends.',
    'For an account without claims return {}.',
  );
}
