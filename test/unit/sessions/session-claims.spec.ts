import { describe, expect, it } from '@jest/globals';
import { AuthWiringError } from '../../../lib/errors/auth-wiring.error.js';
import { assertSignable } from '../../../lib/sessions/access-token.signer.js';

const good = [
  'businessName',
  'className',
  'spotPrice',
  'footprint',
  'secretary',
  'boardingPass',
  'cardNotes',
  'accessNumber',
  'passwordChangedAt',
  'panelId',
  'saltLakeCity',
  'pinned',
  'BUSINESS_NAME',
  'name',
  'roles',
  'key',
  'passport',
  'compass',
  'discard_number',
  '',
];

const secret = [
  'password',
  'passwd',
  'pass',
  'pwd',
  'pwdHash',
  'userPassword',
  'user_password',
  'PassWord',
  'secret',
  'clientSecret',
  'CLIENT_SECRET',
  'clientsecret',
  'secretKey',
  'secretQuestion',
  'api_key',
  'apiKey',
  'API-Key',
  'APIKey',
  'apikey',
  'stripeApiKeyId',
  'privateKey',
  'private_key',
  'accessKey',
  'AWS_ACCESS_KEY',
  'cardNumber',
  'card_no',
  'creditCardNumber',
  'creditcardnumber',
  'cc_num',
  'ccNumber',
  'cvv',
  'cvv2',
  'cvc',
  'pan',
  'iban',
  'ssn',
  'customerSSN',
  'socialSecurity',
  'social_security_number',
  'pin',
  'PIN',
  'otp',
  'otpCode',
  'salt',
  'hash',
  'passwordHash',
  'password_hash',
  'passwordhash',
  'refreshToken',
  'refresh_token',
  'passphrase',
  'passPhrase',
  'passcode',
  'credential',
  'credentials',
  'userCredentials',
  'dbPass',
];

describe('the claims that an application adds', () => {
  it.each(good)('a claim may be called %j', (name) => {
    expect(() => assertSignable({ [name]: 1 }, [])).not.toThrow();
  });

  it.each(secret)('a claim may not be called %j, unless its exact name is allowed', (name) => {
    expect(() => assertSignable({ [name]: 1 }, [])).toThrow(AuthWiringError);
    expect(() => assertSignable({ [name]: 1 }, [name])).not.toThrow();
  });

  it.each(['sub', 'exp', 'gen', '__proto__'])(
    'a claim of the library cannot be set: %s',
    (name) => {
      const claims = JSON.parse(`{ "${name}": 1 }`) as Record<string, unknown>;
      expect(() => assertSignable(claims, [name])).toThrow(AuthWiringError);
    },
  );
});
