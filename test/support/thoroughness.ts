/**
 * Whether this is `npm run test:long`, where what costs minutes is tried at every point; the everyday suite tries the same at
 * some of them.
 */
export const IS_THOROUGH = process.env['NOCTUARY_TESTS'] === 'long'
