import { inexactIn } from '../authentication/token-text.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { ApplicationMethod } from '../options/application-method.js';
import type { ClaimsContext, ClaimsSource } from '../options/session-settings.js';

/** The claims that the library itself sets; an application cannot set them. */
const REGISTERED = new Set(['iss', 'aud', 'sub', 'sid', 'jti', 'gen', 'iat', 'exp', 'nbf', 'cnf']);

/**
 * Checks the claims that an application wants signed.
 *
 * @throws AuthWiringError for a registered name, for a name that looks like a secret and was not
 * allowed by `allowedClaims`, and for a value that JSON cannot hold exactly.
 */
export function assertSignable(
  claims: Readonly<Record<string, unknown>>,
  allowed: readonly string[],
): void {
  for (const name of Object.keys(claims)) {
    if (REGISTERED.has(name) || name === '__proto__') {
      throw new AuthWiringError(
        `The claim "${name}" is set by nestjs-logout and cannot be given.`,
        'Give it another name.',
      );
    }
    if (isSecretive(name) && !allowed.includes(name)) {
      throw new AuthWiringError(
        `The claim "${name}" looks like a secret. A token's payload is signed, not encrypted: ` +
          'anyone who holds the token can read it.',
        'Leave it out.',
        `If it is not a secret: AuthModule.forRoot({ allowedClaims: ['${name}'], … }).`,
      );
    }
  }
  const inexact = inexactIn(claims);
  if (inexact === undefined) return;
  throw new AuthWiringError(
    `The claims hold ${inexact} that a token cannot carry: it would be refused when it comes back.`,
    'Give well-formed texts (text.toWellFormed()) and finite numbers.',
  );
}

/**
 * Asks the application for the claims of an account's next token.
 *
 * @returns `null` when the application says that there is no such account.
 * @throws AuthWiringError for an answer that is neither an object of claims nor `null`: a look-up that
 * finds nothing, or a forgotten `return`, must not give a token without claims to a deleted account.
 */
export async function claimsOf(
  given: ApplicationMethod<ClaimsSource> | undefined,
  subject: string,
  context: ClaimsContext,
): Promise<Readonly<Record<string, unknown>> | null> {
  if (given === undefined) return {};
  const source = given.source ?? given.find();
  // What an application without types gives is not known.
  const answer: unknown = await source.claims(subject, context);
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

/** Words, and pairs of words, that mark a name as secret wherever they occur in it. */
const ANYWHERE = new Set([
  'secret',
  'secrets',
  'credential',
  'credentials',
  'pwd',
  'otp',
  'totp',
  'cvv',
  'cvc',
  'iban',
  'ssn',
  'socialsecurity',
  'apikey',
  'privatekey',
  'accesskey',
  'secretkey',
  'cardnumber',
  'cardno',
  'ccnum',
  'ccnumber',
  'refreshtoken',
  'userpass',
  'dbpass',
]);

/** Endings that are long enough to be recognised in a name written as one word. */
const RUN_TOGETHER =
  /(?:secret|credentials?|socialsecurity|apikey|privatekey|accesskey|secretkey|cardnumber|refreshtoken)$/;

/** Names of secrets; followed by another word they are something else (`passwordChangedAt`). */
const LAST = /(?:password|passwd|passphrase|passcode|hash)$/;

/** The same, written as two words (`passPhrase`). */
const SPLIT = /^pass(?:word|wd|phrase|code)$/;

/** Secrets when alone; beside another word they are something else (`boardingPass`, `panId`). */
const ALONE = new Set(['pass', 'pin', 'pan', 'salt']);

/**
 * Whether a claim's name suggests a secret.
 *
 * It compares words, not letters: `businessName` contains `ssn` and is not a secret.
 */
function isSecretive(name: string): boolean {
  const words = wordsOf(name);
  const pairs = words.slice(1).map((word, index) => `${words[index]}${word}`);
  const [word = '', pair = ''] = [words.at(-1), pairs.at(-1)];
  return (
    (words.length === 1 && ALONE.has(word)) ||
    LAST.test(word) ||
    SPLIT.test(pair) ||
    words.some((each) => ANYWHERE.has(each) || RUN_TOGETHER.test(each)) ||
    pairs.some((each) => ANYWHERE.has(each))
  );
}

/** `apiKey`, `API_KEY` and `api-key` are the words `api` and `key`; digits are no words. */
function wordsOf(name: string): string[] {
  const words = name.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+/gu) ?? [];
  return words.map((word) => word.toLowerCase());
}
