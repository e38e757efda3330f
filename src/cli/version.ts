/** The version of package.json, put in by scripts/build.ts. */
declare const KTC_VERSION: string | undefined;

export const VERSION = typeof KTC_VERSION === 'string' ? KTC_VERSION : 'unbuilt';
