/** The version of this package, as instances register it; a test compares it with package.json. */
export const RELEASE = '0.1.0';
