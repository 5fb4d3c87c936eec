import { generateKeyPairSync, randomBytes } from 'node:crypto';

/** Key pairs for the tables; created once for each test file, because RSA is slow. */
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
export const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
export const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
export const ed25519 = generateKeyPairSync('ed25519');
export const pss256 = generateKeyPairSync('rsa-pss', {
  modulusLength: 2048,
  hashAlgorithm: 'sha256',
  mgf1HashAlgorithm: 'sha256',
});
export const openPss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });

export const privatePem = p256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
export const publicPem = p256.publicKey.export({ type: 'spki', format: 'pem' }).toString();
export const publicDer = rsa.publicKey.export({ type: 'spki', format: 'der' });
export const publicJwk = p256.publicKey.export({ format: 'jwk' });
export const encryptedPem = p256.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' })
  .toString();

/** Long enough for every HS algorithm. */
export const secret = randomBytes(48).toString('base64url');
export const otherSecret = randomBytes(48).toString('base64url');
