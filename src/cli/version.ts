/** The version in package.json; scripts/build.ts inserts it. */
declare const KTC_VERSION: string | undefined;

export const VERSION = typeof KTC_VERSION === 'string' ? KTC_VERSION : 'unbuilt';
