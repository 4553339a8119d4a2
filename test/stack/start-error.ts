/** A reason not to start that is the user's to mend: told in one line, without a stack. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
