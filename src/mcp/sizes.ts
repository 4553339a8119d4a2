/** How long the JSON of an answer gets, in bytes: an assistant pays for each. */
export const MAX_BYTES = { compact: 4_000, usual: 8_000, full: 20_000 } as const
