/** Bitcoin's base58: letters and digits without 0, O, I and l. */
export const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
/** The bytes below the greatest multiple of 58: taking the rest of any other would favour some digits. */
const UNBIASED_BYTES = 232

/** That many random base58 digits, each as likely as the next. `randomBytes` gives that many random bytes. */
export function drawBase58(length: number, randomBytes: (length: number) => Uint8Array): string {
  let digits = ''
  while (digits.length < length) {
    const usable = Array.from(randomBytes(2 * length)).filter((byte) => byte < UNBIASED_BYTES)
    digits += usable.map((byte) => ALPHABET.charAt(byte % 58)).join('')
  }
  return digits.slice(0, length)
}
