/** A reason to end that is the operator's to mend: told in one line, without a stack, and to a script by the exit code. */
export class CommandError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
