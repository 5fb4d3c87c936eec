/**
 * The newest format of the log that this release understands (H5). An instance closes on a newer one.
 * New logs begin with format 1, and only `nestjs-logout raise-format` raises it.
 */
export const SUPPORTED_FORMAT = 2;

/**
 * From this format on a revoked key counts for its issuer only. Below it a second event, without the
 * issuer, is written for instances of older releases, which look for no other; it counts for every
 * issuer.
 */
export const KEYS_OF_ISSUERS = 2;
