/** Words, and pairs of words, that make a secret of whatever name they stand in. */
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

/** Endings that are long enough to be recognised in a name that is written as one word. */
const RUN_TOGETHER =
  /(?:secret|credentials?|socialsecurity|apikey|privatekey|accesskey|secretkey|cardnumber|refreshtoken)$/;

/** What a secret is called; with a word behind it, it is something about it (`passwordChangedAt`). */
const LAST = /(?:password|passwd|passphrase|passcode|hash)$/;

/** The same where somebody took it for two words (`passPhrase`). */
const SPLIT = /^pass(?:word|wd|phrase|code)$/;

/** Secrets by themselves; beside another word they are something else (`boardingPass`, `panId`). */
const ALONE = new Set(['pass', 'pin', 'pan', 'salt']);

/**
 * Whether a claim's name is one under which people keep secrets.
 *
 * It compares words and not letters: `businessName` has an `ssn` in it and is none.
 */
export function isSecretive(name: string): boolean {
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

/** `apiKey`, `API_KEY` and `api-key` are the words `api` and `key`; digits are none. */
function wordsOf(name: string): string[] {
  const words = name.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+/gu) ?? [];
  return words.map((word) => word.toLowerCase());
}
